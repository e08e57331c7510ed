// ZMTP 3.0, the protocol under ZeroMQ's sockets, as a DEALER speaks it without security.
//
// No socket in here: what came in goes to `take`, what is to go out is in `output`.
//
//     greeting ─► READY ─► messages of frames, each one flags, size, body
//
// Source: ZMTP 3.0, rfc.zeromq.org/spec/23, with the PING of 3.1 (spec/37) answered as well.
#pragma once

#include <string>
#include <string_view>

#include "bytes.hpp"

namespace streamsep {

class ZmtpDealer {
public:
    // Frames and bytes of a message beyond these are refused; what is allowed comes from
    // docs/protocol.md.
    ZmtpDealer(std::size_t most_frames, std::size_t largest_frame);

    // Take in what was received. Throws RemoteError if it is not ZMTP, or not a peer for a DEALER.
    void take(const std::uint8_t* data, std::size_t size);

    // Whether the other end has introduced itself; messages may be queued before.
    bool is_ready() const { return state_ == State::Ready; }

    // Move the next whole message to `frames`; false if there is none.
    bool next(std::vector<Bytes>& frames);

    // Queue a message of two frames.
    void send(const Bytes& first, const Bytes& second);

    // Bytes that are to be sent, and how to say that some of them were.
    const Bytes& output() const { return output_; }
    void sent(std::size_t size);

private:
    enum class State { Greeting, Introduction, Ready };

    // Each of these uses up some bytes at the start of a view, or none if there are too few.
    bool take_greeting(std::string_view& input);
    bool take_frame(std::string_view& input);

    void take_command(std::string_view body);
    void introduce(std::string_view properties);
    void append_frame(std::uint8_t flags, const std::uint8_t* body, std::size_t size);
    void append_command(std::string_view name, std::string_view body);

    const std::size_t most_frames_;
    const std::size_t largest_frame_;
    State state_ = State::Greeting;
    Bytes input_;
    Bytes output_;
    Bytes held_back_;  // messages that wait for the introduction
    std::vector<Bytes> partial_;
    std::vector<std::vector<Bytes>> messages_;
};

}  // namespace streamsep
