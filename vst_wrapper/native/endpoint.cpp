#include "endpoint.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "remote_error.hpp"
#include "text_fields.hpp"

namespace streamsep {
namespace {

constexpr std::string_view kIpc = "ipc://";
constexpr std::string_view kTcp = "tcp://";

// The protocol's, not TMPDIR: a host and an engine that were started from different shells meet.
constexpr std::string_view kTemporaryFolder = "/tmp";

bool starts_with(const std::string& text, std::string_view prefix) {
    return text.compare(0, prefix.size(), prefix) == 0;
}

SocketAddress resolve_path(const std::string& path) {
    sockaddr_un address{};
    if (path.empty() || path.size() >= sizeof(address.sun_path)) {
        throw RemoteError("a socket's path is 1 to 107 bytes long, got " +
                          std::to_string(path.size()));
    }
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    SocketAddress result;
    result.family = AF_UNIX;
    result.size = sizeof(address);
    std::memcpy(&result.storage, &address, sizeof(address));
    return result;
}

int port_of(const std::string& text) {
    const bool digits = !text.empty() && text.size() <= 5 &&
                        text.find_first_not_of("0123456789") == std::string::npos;
    const int port = digits ? std::stoi(text) : 0;
    if (port < 1 || port > 65'535) throw RemoteError("a port is 1 to 65535, got " + one_line(text));
    return port;
}

SocketAddress resolve_loopback(const std::string& rest) {
    const std::size_t colon = rest.rfind(':');
    if (colon == std::string::npos) throw RemoteError("expected tcp://HOST:PORT");
    const std::string host = rest.substr(0, colon);
    const auto port = static_cast<std::uint16_t>(port_of(rest.substr(colon + 1)));
    SocketAddress result;
    sockaddr_in four{};
    if (host == "[::1]") {
        sockaddr_in6 six{};
        six.sin6_family = AF_INET6;
        six.sin6_port = htons(port);
        six.sin6_addr = in6addr_loopback;
        result.size = sizeof(six);
        std::memcpy(&result.storage, &six, sizeof(six));
    } else if (inet_pton(AF_INET, host == "localhost" ? "127.0.0.1" : host.c_str(),
                         &four.sin_addr) == 1 &&
               (ntohl(four.sin_addr.s_addr) >> 24) == 127) {
        four.sin_family = AF_INET;
        four.sin_port = htons(port);
        result.size = sizeof(four);
        std::memcpy(&result.storage, &four, sizeof(four));
    } else {
        throw RemoteError("expected the engine at localhost, 127.0.0.1 or [::1], got " +
                          one_line(host) + "; plugins use an engine of this machine");
    }
    result.family = result.storage.ss_family;
    return result;
}

}  // namespace

std::string default_endpoint() {
    const char* base = std::getenv("XDG_RUNTIME_DIR");
    if (base != nullptr && *base != '\0') return std::string(kIpc) + base + "/streamsep/audio.ipc";
    return std::string(kIpc).append(kTemporaryFolder) + "/streamsep-" + std::to_string(getuid()) +
           "/audio.ipc";
}

SocketAddress resolve(const std::string& endpoint) {
    const std::string address = endpoint.empty() ? default_endpoint() : endpoint;
    if (starts_with(address, kIpc)) return resolve_path(address.substr(kIpc.size()));
    if (starts_with(address, kTcp)) return resolve_loopback(address.substr(kTcp.size()));
    throw RemoteError("expected ipc://PATH or tcp://127.0.0.1:PORT, got " + one_line(address));
}

}  // namespace streamsep
