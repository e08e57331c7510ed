// The one exception of the plugin: what the other end did that cannot be gone on with.
#pragma once

#include <stdexcept>

namespace streamsep {

// Thrown and caught within the thread that talks to the engine; its text becomes the status.
struct RemoteError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

}  // namespace streamsep
