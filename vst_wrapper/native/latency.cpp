#include "latency.hpp"

#include <algorithm>
#include <cmath>

namespace streamsep {
namespace {

constexpr double kNetworkRate = 44'100.0;

// More than the resamplers of an engine hold back, at any rate from 8 to 768 kHz.
std::int64_t resampling_bound(double sample_rate) {
    if (sample_rate == kNetworkRate) return 0;
    return std::max<std::int64_t>(2048, std::llround(std::ceil(0.06 * sample_rate)));
}

std::int64_t at_rate(std::int64_t samples, double sample_rate) {
    return std::llround(std::ceil(static_cast<double>(samples) * sample_rate / kNetworkRate));
}

const LatencyPreset& chosen(int preset) { return kPresets[static_cast<std::size_t>(preset)]; }

}  // namespace

std::int64_t computing_samples(int preset, double sample_rate) {
    return at_rate(chosen(preset).hop, sample_rate);
}

std::int64_t latency_samples(int preset, double sample_rate, int longest_block) {
    const std::int64_t network =
        at_rate(chosen(preset).hop + chosen(preset).look_ahead, sample_rate);
    return network + resampling_bound(sample_rate) + computing_samples(preset, sample_rate) +
           (kLivePacket - 1) + longest_block;
}

}  // namespace streamsep
