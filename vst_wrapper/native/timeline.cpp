#include "timeline.hpp"

#include <algorithm>
#include <cmath>

namespace streamsep {
namespace {

constexpr std::int64_t kNothing = -1;
constexpr std::int64_t kSlack = 4096;

std::size_t ring_size(std::int64_t latency, int longest_block) {
    const std::int64_t alive = latency + 2 * std::int64_t{longest_block} + 2 * kFade + kSlack;
    std::size_t size = 1;
    while (size < static_cast<std::size_t>(alive)) size *= 2;
    return size;
}

}  // namespace

Timeline::Timeline(int channels, std::int64_t latency, int longest_block, PlayCounters& counters)
    : channels_(channels),
      latency_(latency),
      longest_block_(longest_block),
      size_(ring_size(latency, longest_block)),
      mixture_(size_ * static_cast<std::size_t>(channels)),
      stems_(size_ * static_cast<std::size_t>(channels) * kStems),
      holds_(size_),
      counters_(counters) {
    for (auto& each : holds_) each.store(kNothing, std::memory_order_relaxed);
}

float* Timeline::stem_ring(int stem, int channel) {
    return stems_.data() + size_ * static_cast<std::size_t>(stem * channels_ + channel);
}

void Timeline::add_mixture(const std::array<const float*, kPluginChannels>& block, int length) {
    const std::int64_t first = now_.load(std::memory_order_relaxed);
    for (int c = 0; c < channels_; ++c) {
        float* ring = mixture_.data() + size_ * static_cast<std::size_t>(c);
        const float* samples = block[static_cast<std::size_t>(c)];
        for (int k = 0; k < length; ++k) {
            const float value = samples == nullptr ? 0.0f : samples[k];
            ring[place(first + k)] = std::isfinite(value) ? value : 0.0f;
        }
    }
    now_.store(first + length, std::memory_order_release);
}

bool Timeline::holds(std::int64_t position) const {
    return holds_[place(position)].load(std::memory_order_acquire) == position;
}

bool Timeline::has_stems(std::int64_t position) const {
    return position < begin_.load(std::memory_order_relaxed) || holds(position);
}

std::int64_t Timeline::needed(int length) const {
    const std::int64_t due = now_.load(std::memory_order_relaxed) - latency_;
    return length == 0 ? due : due + kFade - 1;
}

bool Timeline::is_complete(int length) const {
    // Stems come in order, but a session that was opened anew may have left a hole.
    const std::int64_t end = needed(length);
    const std::int64_t first = now_.load(std::memory_order_relaxed) - length - latency_;
    for (std::int64_t position = end - 1; position >= first; --position) {
        if (!has_stems(position)) return false;
    }
    return true;
}

void Timeline::play(int length, const PlayedBlock& out) {
    const std::int64_t first = now_.load(std::memory_order_relaxed) - length - latency_;
    const std::int64_t begin = begin_.load(std::memory_order_relaxed);
    // Samples from here on whose stems are known to be there; a sample is wanted if the whole fade
    // after it could be played.
    std::int64_t known_to = first;
    std::int64_t missed = 0;
    for (int k = 0; k < length; ++k) {
        const std::int64_t position = first + k;
        known_to = std::max(known_to, position);
        while (known_to < position + kFade && has_stems(known_to)) ++known_to;
        const bool wanted = known_to == position + kFade;
        if (wanted) {
            gain_ = std::min(gain_ + 1.0f / kFade, 1.0f);
        } else {
            if (gain_ == 1.0f) counters_.gaps.fetch_add(1, std::memory_order_relaxed);
            gain_ = std::max(gain_ - 1.0f / kFade, 0.0f);
            if (position >= begin) ++missed;
        }
        const bool silent = position < begin;
        const std::size_t from = place(position);
        for (int c = 0; c < channels_; ++c) {
            const auto channel = static_cast<std::size_t>(c);
            const float dry = silent ? 0.0f : mixture_[size_ * channel + from];
            out.mixture[channel][k] = dry;
            for (int s = 0; s < kStems; ++s) {
                const bool empty = silent || gain_ == 0.0f;
                const float stem = empty ? 0.0f : gain_ * stem_ring(s, c)[from];
                const float filler = s == kOther ? (1.0f - gain_) * dry : 0.0f;
                out.stems[static_cast<std::size_t>(s)][channel][k] = stem + filler;
            }
        }
    }
    answered_.store(first + length + latency_, std::memory_order_release);
    if (missed > 0) counters_.missed.fetch_add(missed, std::memory_order_relaxed);
}

void Timeline::copy_mixture(std::int64_t first, std::int64_t end, std::vector<float>& to) const {
    to.clear();
    for (int c = 0; c < channels_; ++c) {
        const float* ring = mixture_.data() + size_ * static_cast<std::size_t>(c);
        for (std::int64_t position = first; position < end; ++position) {
            to.push_back(ring[place(position)]);
        }
    }
}

std::int64_t Timeline::add_stems(std::int64_t position, const float* stems, int length,
                                 const std::array<int, kStems>& order) {
    // Not `now`: a block that waits for its stems is in the mixture already.
    const std::int64_t played = answered_.load(std::memory_order_acquire) - latency_;
    const std::int64_t late = std::clamp<std::int64_t>(played - position, 0, length);
    for (int s = 0; s < kStems; ++s) {
        for (int c = 0; c < channels_; ++c) {
            const std::int64_t row = order[static_cast<std::size_t>(s)] * channels_ + c;
            const float* from = stems + row * length;
            float* ring = stem_ring(s, c);
            for (std::int64_t k = late; k < length; ++k) {
                if (!holds(position + k)) ring[place(position + k)] = from[k];
            }
        }
    }
    // The samples first, then the word that they are there.
    for (std::int64_t k = late; k < length; ++k) {
        holds_[place(position + k)].store(position + k, std::memory_order_release);
    }
    return late;
}

}  // namespace streamsep
