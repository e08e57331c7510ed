// In the place of audit.cpp where sanitizers stand before the C library already.
#include "audit.hpp"

void audit::begin() {}

audit::Counts audit::end() { return {}; }
