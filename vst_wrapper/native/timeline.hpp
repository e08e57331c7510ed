// What the plugin knows about the past: the mixture that came in and the stems that came back.
//
//     position ──►
//     mixture  ░░░░░░░░░░░░░░░░░░░░░░░░░░│ now
//     stems    ████████▒▒▒▒████          │       ▒ never came in time
//     played   ───────────│              │
//                         |<- latency -->|
//
// Both lie in rings that are indexed by the absolute position of a sample. The audio thread adds
// the newest mixture and takes what is due; the network thread reads the mixture and adds stems.
// They share the rings, marks that say of which position a place holds the stems, and a few whole
// numbers that only one of them writes. Positions are never used twice: a reset only moves `begin`,
// everything before it is silence, and so nothing has to be cleared.
//
// Where stems are missing, the mixture of that position plays in `other`. The change takes kFade
// samples each way, so what is played looks that far ahead.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

namespace streamsep {

constexpr int kStems = 4;  // drums, bass, other, vocals
constexpr int kOther = 2;
constexpr int kPluginChannels = 2;  // mono or stereo; sessions may have more
constexpr int kFade = 64;

// A block of what is played, pointers to samples per stem and channel.
struct PlayedBlock {
    std::array<std::array<float*, kPluginChannels>, kStems> stems;
    std::array<float*, kPluginChannels> mixture;
};

// Written by the audio thread, read by any.
struct PlayCounters {
    std::atomic<std::int64_t> missed{0};  // samples that were played without their stems
    std::atomic<std::int64_t> gaps{0};    // how often stems turned into the mixture
};

class Timeline {
public:
    // Allocates and touches all of its memory. The counters must live as long as anybody plays.
    Timeline(int channels, std::int64_t latency, int longest_block, PlayCounters& counters);

    int channels() const { return channels_; }
    std::int64_t latency() const { return latency_; }
    int longest_block() const { return longest_block_; }

    // --- audio thread; Real-time: no lock, no allocation, no system call ---

    // Begin another stream here; what lies before it is silence.
    void restart() { begin_.store(now_.load(std::memory_order_relaxed), std::memory_order_release); }

    // Add a block of the mixture, `length` up to the longest block; absent channels are silent and
    // values that are not finite become 0.
    void add_mixture(const std::array<const float*, kPluginChannels>& block, int length);

    // The position up to which stems must be there so that the last `length` samples that were
    // added can be answered without the mixture, its fade included.
    std::int64_t needed(int length) const;

    // Whether the stems of the last `length` samples' answer are all there.
    bool is_complete(int length) const;

    // The stems and the mixture that are due for the last `length` samples that were added.
    void play(int length, const PlayedBlock& out);

    // --- any thread ---

    std::int64_t now() const { return now_.load(std::memory_order_acquire); }
    std::int64_t begin() const { return begin_.load(std::memory_order_acquire); }

    // --- network thread ---

    // The mixture [C, end - first], planar, of positions that are not older than the latency.
    void copy_mixture(std::int64_t first, std::int64_t end, std::vector<float>& to) const;

    // Add stems [4, C, length], planar; `order[k]` is where stem k lies in them. A position that has
    // its stems keeps them: the audio thread may be reading them. Returns how many samples came when
    // they had been due.
    std::int64_t add_stems(std::int64_t position, const float* stems, int length,
                           const std::array<int, kStems>& order);

private:
    std::size_t place(std::int64_t position) const {
        return static_cast<std::size_t>(position) & (size_ - 1);
    }
    bool has_stems(std::int64_t position) const;
    bool holds(std::int64_t position) const;
    float* stem_ring(int stem, int channel);

    const int channels_;
    const std::int64_t latency_;
    const int longest_block_;
    const std::size_t size_;  // a power of two
    std::vector<float> mixture_;
    std::vector<float> stems_;
    std::vector<std::atomic<std::int64_t>> holds_;  // of which position a place holds the stems
    std::atomic<std::int64_t> now_{0};              // position of the next input sample
    std::atomic<std::int64_t> answered_{0};         // up to here input has had its output
    std::atomic<std::int64_t> begin_{0};            // of the present stream
    float gain_ = 1.0f;
    PlayCounters& counters_;
};

}  // namespace streamsep
