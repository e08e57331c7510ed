#include "engine_socket.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "endpoint.hpp"
#include "remote_error.hpp"

namespace streamsep {
namespace {

constexpr std::size_t kMostFrames = 4;
constexpr std::size_t kAtOnce = 64 * 1024;
constexpr int kMostReads = 64;  // then others have their turn

bool would_wait() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

[[noreturn]] void fail(const std::string& what, int code) {
    throw RemoteError(what + ": " + std::strerror(code));
}

}  // namespace

EngineSocket::EngineSocket(const std::string& endpoint)
    : zmtp_(kMostFrames, protocol::kLargestBody) {
    const SocketAddress address = resolve(endpoint);
    is_local_ = address.family == AF_UNIX;
    descriptor_ = socket(address.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor_ < 0) fail("no socket can be made", errno);
    if (!is_local_) {
        const int yes = 1;
        setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    }
    const auto* generic = reinterpret_cast<const sockaddr*>(&address.storage);
    if (connect(descriptor_, generic, address.size) == 0) {
        connecting_ = false;
        try {
            check_owner();
        } catch (const RemoteError&) {
            close(descriptor_);
            throw;
        }
    } else if (errno != EINPROGRESS) {
        const int code = errno;
        close(descriptor_);
        fail("no engine is there; start one with 'streamsep serve'", code);
    }
}

EngineSocket::~EngineSocket() { close(descriptor_); }

void EngineSocket::exchange() {
    if (closed_) throw RemoteError("the engine has gone");
    if (connecting_) finish_connecting();
    if (connecting_) return;
    write_all();
    read_all();
    write_all();
}

void EngineSocket::finish_connecting() {
    int code = 0;
    socklen_t size = sizeof(code);
    getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &code, &size);
    if (code != 0) fail("no engine is there; start one with 'streamsep serve'", code);
    sockaddr_storage peer{};
    socklen_t peer_size = sizeof(peer);
    connecting_ = getpeername(descriptor_, reinterpret_cast<sockaddr*>(&peer), &peer_size) != 0;
}

// Without XDG_RUNTIME_DIR the engine's folder lies where everybody may make one of its name.
void EngineSocket::check_owner() const {
    ucred peer{};
    socklen_t size = sizeof(peer);
    if (is_local_ && getsockopt(descriptor_, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
        peer.uid != geteuid()) {
        throw RemoteError("the engine there belongs to another user");
    }
}

void EngineSocket::read_all() {
    std::array<std::uint8_t, kAtOnce> buffer;
    for (int k = 0; k < kMostReads; ++k) {
        const ssize_t size = recv(descriptor_, buffer.data(), buffer.size(), 0);
        if (size == 0) {
            // What it said before it went is still to be read.
            closed_ = true;
            return;
        }
        if (size < 0) {
            if (would_wait()) return;
            fail("the engine has gone", errno);
        }
        zmtp_.take(buffer.data(), static_cast<std::size_t>(size));
    }
}

void EngineSocket::write_all() {
    while (!zmtp_.output().empty()) {
        const ssize_t size =
            ::send(descriptor_, zmtp_.output().data(), zmtp_.output().size(), MSG_NOSIGNAL);
        if (size < 0) {
            if (would_wait()) return;
            fail("the engine has gone", errno);
        }
        zmtp_.sent(static_cast<std::size_t>(size));
    }
}

}  // namespace streamsep
