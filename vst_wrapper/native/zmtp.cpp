#include "zmtp.hpp"

#include <algorithm>

#include "remote_error.hpp"
#include "text_fields.hpp"

namespace streamsep {
namespace {

constexpr std::uint8_t kMore = 1;
constexpr std::uint8_t kLong = 2;
constexpr std::uint8_t kCommand = 4;
constexpr std::size_t kGreetingSize = 64;
constexpr std::size_t kLongestCommand = 4096;
constexpr std::size_t kLongestShortFrame = 255;
constexpr std::size_t kMostMessages = 4096;
constexpr std::uint8_t kOldestVersion = 3;

std::uint8_t byte_of(std::string_view text, std::size_t place) {
    return static_cast<std::uint8_t>(text[place]);
}

const std::uint8_t* bytes_of(std::string_view text) {
    return reinterpret_cast<const std::uint8_t*>(text.data());
}

// The peers that a DEALER may have.
bool may_be_peer(std::string_view type) {
    return type == "ROUTER" || type == "DEALER" || type == "REP";
}

}  // namespace

ZmtpDealer::ZmtpDealer(std::size_t most_frames, std::size_t largest_frame)
    : most_frames_(most_frames), largest_frame_(largest_frame), output_(kGreetingSize, 0) {
    output_[0] = 0xff;
    output_[9] = 0x7f;
    output_[10] = kOldestVersion;
    const std::string_view mechanism = "NULL";
    std::copy(mechanism.begin(), mechanism.end(), output_.begin() + 12);
}

void ZmtpDealer::take(const std::uint8_t* data, std::size_t size) {
    input_.insert(input_.end(), data, data + size);
    std::string_view rest(reinterpret_cast<const char*>(input_.data()), input_.size());
    while (state_ == State::Greeting ? take_greeting(rest) : take_frame(rest)) {
    }
    const auto used = static_cast<std::ptrdiff_t>(input_.size() - rest.size());
    input_.erase(input_.begin(), input_.begin() + used);
}

bool ZmtpDealer::take_greeting(std::string_view& input) {
    if (!input.empty() && byte_of(input, 0) != 0xff) {
        throw RemoteError("what answers there is no ZeroMQ socket");
    }
    if (input.size() < kGreetingSize) return false;
    if (byte_of(input, 9) != 0x7f || byte_of(input, 10) < kOldestVersion) {
        throw RemoteError("what answers there speaks no ZMTP 3");
    }
    const std::string_view mechanism = input.substr(12, 20);
    if (mechanism.substr(0, mechanism.find('\0')) != "NULL") {
        throw RemoteError("the engine there wants keys; plugins use one on a loopback address");
    }
    input.remove_prefix(kGreetingSize);
    state_ = State::Introduction;
    append_command("READY", std::string_view("\x0bSocket-Type\0\0\0\x06"
                                             "DEALER\x08Identity\0\0\0\0",
                                             35));
    return true;
}

bool ZmtpDealer::take_frame(std::string_view& input) {
    if (input.empty()) return false;
    const std::uint8_t flags = byte_of(input, 0);
    const std::size_t head = flags & kLong ? 9 : 2;
    if (flags > (kMore | kLong | kCommand)) throw RemoteError("a ZMTP frame with unknown flags");
    if (input.size() < head) return false;
    const std::uint64_t size =
        flags & kLong ? get_big<std::uint64_t>(bytes_of(input) + 1) : byte_of(input, 1);
    const std::size_t largest = flags & kCommand ? kLongestCommand : largest_frame_;
    if (size > largest) {
        throw RemoteError("a frame of " + std::to_string(size) + " bytes, at most " +
                          std::to_string(largest) + " allowed");
    }
    if (input.size() - head < size) return false;
    const std::string_view body = input.substr(head, size);
    input.remove_prefix(head + size);
    if (flags & kCommand) {
        take_command(body);
        return true;
    }
    if (state_ != State::Ready) throw RemoteError("a message before the introduction");
    partial_.emplace_back(body.begin(), body.end());
    if (partial_.size() > most_frames_) throw RemoteError("a message of too many frames");
    if (!(flags & kMore)) {
        if (messages_.size() >= kMostMessages) throw RemoteError("too many messages at once");
        messages_.push_back(std::move(partial_));
        partial_.clear();
    }
    return true;
}

void ZmtpDealer::take_command(std::string_view body) {
    const std::size_t length = body.empty() ? 0 : byte_of(body, 0);
    if (length == 0 || body.size() < 1 + length) throw RemoteError("a ZMTP command without a name");
    const std::string_view name = body.substr(1, length);
    const std::string_view rest = body.substr(1 + length);
    if (name == "ERROR") {
        throw RemoteError("the engine's socket refuses: " + one_line(rest.substr(0, 100)));
    }
    if (name == "READY" && state_ == State::Introduction) {
        introduce(rest);
    } else if (name == "PING" && state_ == State::Ready && rest.size() >= 2) {
        append_command("PONG", rest.substr(2));  // two bytes of time to live, then the context
    } else if (state_ != State::Ready) {
        throw RemoteError("a ZMTP command out of turn: " + one_line(name));
    }
}

void ZmtpDealer::introduce(std::string_view properties) {
    while (!properties.empty()) {
        const std::size_t name_size = byte_of(properties, 0);
        if (properties.size() < 1 + name_size + 4) throw RemoteError("damaged ZMTP properties");
        const std::string_view name = properties.substr(1, name_size);
        const auto size = get_big<std::uint32_t>(bytes_of(properties) + 1 + name_size);
        properties.remove_prefix(1 + name_size + 4);
        if (properties.size() < size) throw RemoteError("damaged ZMTP properties");
        if (name == "Socket-Type" && !may_be_peer(properties.substr(0, size))) {
            throw RemoteError("the socket there is a " + one_line(properties.substr(0, size)) +
                              ", expected the engine's ROUTER for audio");
        }
        properties.remove_prefix(size);
    }
    state_ = State::Ready;
    output_.insert(output_.end(), held_back_.begin(), held_back_.end());
    held_back_.clear();
}

bool ZmtpDealer::next(std::vector<Bytes>& frames) {
    if (messages_.empty()) return false;
    frames = std::move(messages_.front());
    messages_.erase(messages_.begin());
    return true;
}

void ZmtpDealer::send(const Bytes& first, const Bytes& second) {
    append_frame(kMore, first.data(), first.size());
    append_frame(0, second.data(), second.size());
}

void ZmtpDealer::sent(std::size_t size) {
    output_.erase(output_.begin(), output_.begin() + static_cast<std::ptrdiff_t>(size));
}

void ZmtpDealer::append_frame(std::uint8_t flags, const std::uint8_t* body, std::size_t size) {
    const bool is_command = (flags & kCommand) != 0;
    Bytes& to = state_ == State::Ready || is_command ? output_ : held_back_;
    if (size > kLongestShortFrame) {
        to.push_back(static_cast<std::uint8_t>(flags | kLong));
        append_big(to, static_cast<std::uint64_t>(size));
    } else {
        to.push_back(flags);
        to.push_back(static_cast<std::uint8_t>(size));
    }
    to.insert(to.end(), body, body + size);
}

void ZmtpDealer::append_command(std::string_view name, std::string_view body) {
    Bytes command(1, static_cast<std::uint8_t>(name.size()));
    command.insert(command.end(), name.begin(), name.end());
    command.insert(command.end(), body.begin(), body.end());
    append_frame(kCommand, command.data(), command.size());
}

}  // namespace streamsep
