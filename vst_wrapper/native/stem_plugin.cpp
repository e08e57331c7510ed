#include "stem_plugin.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "denormals.hpp"
#include "endpoint.hpp"
#include "remote_error.hpp"
#include "text_fields.hpp"

namespace streamsep {
namespace {

constexpr std::string_view kStateTitle = "streamsep plugin state 1\n";
constexpr std::size_t kLargestState = 64 * 1024;
constexpr double kMillionths = 1e6;

bool crosses_packet(std::int64_t before, std::int64_t after) {
    return before / kLivePacket != after / kLivePacket;
}

}  // namespace

StemPlugin::StemPlugin() = default;

void StemPlugin::set_up(double sample_rate, int longest_block, bool offline) {
    sample_rate_ = sample_rate;
    longest_block_ = std::clamp(longest_block, 1, static_cast<int>(protocol::kLongestBlock) / 2);
    set_up_offline_ = offline;
}

std::int64_t StemPlugin::latency() const {
    if (active_) return timeline_->latency();
    return latency_samples(chosen_preset(), sample_rate_, longest_block_);
}

std::optional<int> StemPlugin::pending_preset() const {
    const int chosen = chosen_preset();
    if (!active_ || chosen == active_preset_) return std::nullopt;
    return chosen;
}

protocol::Mode StemPlugin::mode_for(bool offline) const {
    const auto render = static_cast<RenderMode>(values_.choice(kRender));
    const bool waits = render == RenderMode::AlwaysWait || (render == RenderMode::Auto && offline);
    return waits ? protocol::Mode::Offline : protocol::Mode::Live;
}

SessionPlan StemPlugin::plan() const {
    SessionPlan plan;
    plan.endpoint = endpoint_;
    plan.client = "plugin " + std::to_string(getpid());
    plan.sample_rate = static_cast<int>(std::lround(sample_rate_));
    plan.preset = active_preset_;
    plan.timeline = timeline_;
    return plan;
}

void StemPlugin::activate() {
    deactivate();
    active_preset_ = chosen_preset();
    const std::int64_t latency = latency_samples(active_preset_, sample_rate_, longest_block_);
    const bool reusable = timeline_ && timeline_->channels() == channels_ &&
                          timeline_->latency() == latency &&
                          timeline_->longest_block() == longest_block_;
    if (!reusable) {
        timeline_ = std::make_shared<Timeline>(channels_, latency, longest_block_, counters_);
    }
    timeline_->restart();
    mixer_ = std::make_unique<Mixer>(sample_rate_);
    mixer_->jump(values_);
    const auto longest = static_cast<std::size_t>(longest_block_);
    scratch_.assign((kStems + 1) * kPluginChannels * longest, 0.0f);
    float* next = scratch_.data();
    for (std::size_t c = 0; c < kPluginChannels; ++c) {
        for (auto& stem : played_.stems) {
            stem[c] = next;
            next += longest;
        }
        played_.mixture[c] = next;
        next += longest;
    }
    has_hope_ = true;
    active_ = true;
    link_.request_mode(mode_for(set_up_offline_));
    link_.open(plan());
}

void StemPlugin::deactivate() {
    if (!active_) return;
    active_ = false;
    link_.pause();
}

void StemPlugin::restart() {
    if (!active_) return;
    timeline_->restart();
    mixer_->jump(values_);
    has_hope_ = true;
}

// A block waits as a whole or not at all: the last of its changes of the render mode counts.
protocol::Mode StemPlugin::mode_of(const Block& block) {
    const int render = parameter_index(kRender);
    const int changes = block.changes == nullptr ? 0 : block.changes->count;
    for (int change = 0; change < changes; ++change) {
        const ParameterChange& each = block.changes->changes[static_cast<std::size_t>(change)];
        if (each.index == render) values_.set(render, each.value);
    }
    return mode_for(block.offline);
}

void StemPlugin::process(const Block& block) {
    const FlushDenormals flush;
    const protocol::Mode mode = mode_of(block);
    link_.request_mode(mode);
    const std::int64_t before = active_ ? timeline_->now() : 0;
    int offset = 0;
    int change = 0;
    const int changes = block.changes == nullptr ? 0 : block.changes->count;
    // One turn even without samples: a host may send changes alone.
    do {
        int end = block.length;
        while (change < changes) {
            const ParameterChange& next = block.changes->changes[static_cast<std::size_t>(change)];
            if (next.offset > offset && next.offset < block.length) {
                end = next.offset;
                break;
            }
            values_.set(next.index, next.value);
            ++change;
        }
        if (active_) mixer_->aim(values_);
        end = std::min(end, offset + longest_block_);
        if (active_) {
            process_stretch(block, offset, end - offset, mode == protocol::Mode::Offline);
        }
        offset = end;
    } while (offset < block.length);
    if (active_ && crosses_packet(before, timeline_->now())) link_.wake();
}

void StemPlugin::process_stretch(const Block& block, int offset, int length, bool waits) {
    if (length == 0) return;
    const auto at = [&](float* samples) { return samples == nullptr ? nullptr : samples + offset; };
    std::array<const float*, kPluginChannels> input{};
    Outputs output;
    for (std::size_t c = 0; c < kPluginChannels; ++c) {
        input[c] = block.input[c] == nullptr ? nullptr : block.input[c] + offset;
        output.main[c] = at(block.output.main[c]);
        for (std::size_t s = 0; s < kStems; ++s) output.stems[s][c] = at(block.output.stems[s][c]);
    }
    // The input is read before anything is written: hosts may give the same memory for both.
    timeline_->add_mixture(input, length);
    if (waits) {
        const bool had_hope = has_hope_;
        has_hope_ = link_.await(*timeline_, length);
        if (had_hope && !has_hope_) failures_.fetch_add(1, std::memory_order_relaxed);
    }
    timeline_->play(length, played_);
    mixer_->mix(played_, timeline_->channels(), length, output);
}

std::string StemPlugin::save() const {
    TextFields fields;
    for (std::size_t k = 0; k < kParameters; ++k) {
        const Parameter& parameter = parameter_table()[k];
        const double value = values_.get(static_cast<int>(k));
        if (parameter.kind == ParameterKind::List) {
            // A list that grows moves the values of its choices, their names stay.
            fields.add(parameter.key, to_text(parameter, value));
        } else {
            fields.add(parameter.key, std::llround(value * kMillionths));
        }
    }
    fields.add("endpoint", endpoint_);
    const LinkStatus link = link_.status();
    fields.add("status", link_state_name(link.state));
    fields.add("problem", one_line(link.problem));
    fields.add("engine", one_line(link.engine));
    fields.add("model", one_line(link.model));
    fields.add("mode", link.mode);
    fields.add("latency", latency());
    fields.add("connections", link.counters.connections);
    fields.add("lost", link.counters.lost);
    fields.add("missed", counters_.missed.load());
    fields.add("gaps", counters_.gaps.load());
    fields.add("late", link.counters.late);
    fields.add("substituted", link.counters.substituted);
    fields.add("non_finite", link.counters.non_finite);
    fields.add("failures", failures_.load());
    return std::string(kStateTitle) + fields.format();
}

bool StemPlugin::restore(const std::string& state) {
    if (state.size() > kLargestState ||
        state.compare(0, kStateTitle.size(), kStateTitle) != 0) {
        return false;
    }
    try {
        const TextFields fields =
            TextFields::parse(std::string_view(state).substr(kStateTitle.size()));
        ParameterValues restored;
        for (std::size_t k = 0; k < kParameters; ++k) {
            const Parameter& parameter = parameter_table()[k];
            const std::string* text = fields.find(parameter.key);
            if (text == nullptr) continue;  // of an older plugin
            double value = parameter.initial;
            if (parameter.kind == ParameterKind::List) {
                choose(parameter, *text, value);  // one that a newer plugin knows changes nothing
            } else {
                const long long millionths = fields.number(parameter.key, 0, 1'000'000);
                value = static_cast<double>(millionths) / kMillionths;
            }
            restored.set(static_cast<int>(k), value);
        }
        const std::string* endpoint = fields.find("endpoint");
        for (int k = 0; k < kParameters; ++k) values_.set(k, restored.get(k));
        endpoint_ = endpoint == nullptr ? "" : *endpoint;
    } catch (const RemoteError&) {
        return false;
    }
    if (active_) link_.open(plan());
    return true;
}

}  // namespace streamsep
