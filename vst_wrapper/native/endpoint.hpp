// Where the engine is: the address of its audio socket, on this machine.
#pragma once

#include <sys/socket.h>

#include <string>

namespace streamsep {

// An address that can be connected to.
struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;
    int family = 0;
};

// The engine of this user: its ipc socket in the run-time folder, see docs/protocol.md.
std::string default_endpoint();

// Resolve `ipc://PATH` or `tcp://LOOPBACK:PORT`; empty means `default_endpoint()`. Nothing is
// looked up by name, so this never waits. Throws RemoteError if it is no such address.
SocketAddress resolve(const std::string& endpoint);

}  // namespace streamsep
