// What a thread does that an audio thread should not: see audit.cpp.
#pragma once

namespace audit {

struct Counts {
    long allocations = 0;
    long locks = 0;
    long writes = 0;  // the plugin's wake-up is one
    long others = 0;  // reads, waits, sockets, memory maps
};

// Count what this thread does from now on.
void begin();

// Stop counting; what was found since `begin`.
Counts end();

}  // namespace audit
