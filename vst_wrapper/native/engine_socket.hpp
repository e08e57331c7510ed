// A connection to an engine: ZMTP over a socket that never blocks.
#pragma once

#include <string>

#include "protocol.hpp"
#include "zmtp.hpp"

namespace streamsep {

class EngineSocket {
public:
    // Begin to connect. Throws RemoteError if nobody is there.
    explicit EngineSocket(const std::string& endpoint);
    ~EngineSocket();
    EngineSocket(const EngineSocket&) = delete;
    EngineSocket& operator=(const EngineSocket&) = delete;

    int descriptor() const { return descriptor_; }
    bool wants_to_write() const { return connecting_ || !zmtp_.output().empty(); }

    // Bytes that the engine has not taken yet.
    std::size_t unsent() const { return zmtp_.output().size(); }

    // Read and write whatever can be without waiting. Throws RemoteError when the connection is
    // over, or what comes is not ZMTP.
    void exchange();

    void send(const protocol::Frames& message) { zmtp_.send(message.header, message.body); }
    bool next(std::vector<Bytes>& frames) { return zmtp_.next(frames); }

private:
    void finish_connecting();
    void check_owner() const;
    void read_all();
    void write_all();

    int descriptor_ = -1;
    bool is_local_ = false;
    bool connecting_ = true;
    bool closed_ = false;
    ZmtpDealer zmtp_;
};

}  // namespace streamsep
