// The audio processor: speakers, latency, blocks.
#include <algorithm>

#include "vst3_plugin.hpp"

namespace streamsep {
namespace {

constexpr v3_speaker_arrangement kNone = 0;  // a bus that is switched off
constexpr v3_speaker_arrangement kMono = V3_SPEAKER_M;
constexpr v3_speaker_arrangement kStereo = V3_SPEAKER_L | V3_SPEAKER_R;

int width_of(v3_speaker_arrangement speakers) {
    return speakers == kStereo ? 2 : speakers == kMono ? 1 : 0;
}

// Stems are as wide as the mixture; a mono one may go to stereo outputs.
bool fits(v3_speaker_arrangement input, v3_speaker_arrangement output, bool is_main) {
    if (output == kNone) return !is_main;
    return (output == kMono || output == kStereo) && width_of(output) >= width_of(input);
}

v3_result V3_API set_bus_arrangements(void* self, v3_speaker_arrangement* inputs,
                                      std::int32_t input_count, v3_speaker_arrangement* outputs,
                                      std::int32_t output_count) {
    Vst3Plugin& plugin = plugin_of(self);
    if (plugin.active || inputs == nullptr || outputs == nullptr || input_count != 1 ||
        output_count < 1 || output_count > kOutputBuses ||
        (inputs[0] != kMono && inputs[0] != kStereo)) {
        return V3_FALSE;
    }
    for (int bus = 0; bus < output_count; ++bus) {
        if (!fits(inputs[0], outputs[bus], bus == 0)) return V3_FALSE;
    }
    plugin.input_speakers = inputs[0];
    std::copy(outputs, outputs + output_count, plugin.output_speakers.begin());
    return V3_TRUE;
}

v3_result V3_API get_bus_arrangement(void* self, std::int32_t direction, std::int32_t index,
                                     v3_speaker_arrangement* speakers) {
    const int count = direction == V3_INPUT ? 1 : kOutputBuses;
    if (speakers == nullptr || index < 0 || index >= count) return V3_INVALID_ARG;
    const Vst3Plugin& plugin = plugin_of(self);
    *speakers = direction == V3_INPUT ? plugin.input_speakers
                                      : plugin.output_speakers[static_cast<std::size_t>(index)];
    return V3_OK;
}

v3_result V3_API can_process_sample_size(void*, std::int32_t size) {
    return size == V3_SAMPLE_32 ? V3_TRUE : V3_FALSE;
}

std::uint32_t V3_API get_latency_samples(void* self) {
    return static_cast<std::uint32_t>(plugin_of(self).stems.latency());
}

v3_result V3_API setup_processing(void* self, v3_process_setup* setup) {
    Vst3Plugin& plugin = plugin_of(self);
    const bool possible = setup != nullptr && !plugin.active &&
                          setup->symbolic_sample_size == V3_SAMPLE_32 &&
                          setup->sample_rate >= 8'000.0 && setup->sample_rate <= 768'000.0;
    if (!possible) return V3_INVALID_ARG;
    plugin.stems.set_up(setup->sample_rate, setup->max_block_size,
                        setup->process_mode == V3_OFFLINE);
    return V3_OK;
}

v3_result V3_API set_processing(void* self, v3_bool state) {
    if (state) plugin_of(self).stems.restart();
    return V3_OK;
}

// Real-time: what has no room takes the place of the last change of the same parameter that has, so
// that a parameter ends where the host wants it.
void make_do(ParameterChanges& to, ParameterValues& values, int index, double value) {
    for (std::size_t place = to.changes.size(); place > 0; --place) {
        ParameterChange& change = to.changes[place - 1];
        if (change.index != index) continue;
        change.value = value;
        return;
    }
    values.set(index, value);
}

// Real-time: a host's queues of automation, in order of their offsets.
void collect(v3_param_changes** from, ParameterChanges& to, ParameterValues& values) {
    to.count = 0;
    if (from == nullptr) return;
    const int queues = v3_cpp_obj(from)->get_param_count(from);
    for (int q = 0; q < queues; ++q) {
        v3_param_value_queue** queue = v3_cpp_obj(from)->get_param_data(from, q);
        if (queue == nullptr) continue;
        const int index = parameter_index(v3_cpp_obj(queue)->get_param_id(queue));
        const int points = index < 0 ? 0 : v3_cpp_obj(queue)->get_point_count(queue);
        for (int p = 0; p < points; ++p) {
            std::int32_t offset = 0;
            double value = 0.0;
            if (v3_cpp_obj(queue)->get_point(queue, p, &offset, &value) != V3_OK) continue;
            if (to.count == static_cast<int>(to.changes.size())) {
                make_do(to, values, index, value);
                continue;
            }
            int place = to.count++;
            for (; place > 0 && to.changes[static_cast<std::size_t>(place - 1)].offset > offset;
                 --place) {
                const auto k = static_cast<std::size_t>(place);
                to.changes[k] = to.changes[k - 1];
            }
            to.changes[static_cast<std::size_t>(place)] = {offset, index, value};
        }
    }
}

// The first two channels of a bus; whatever else there is becomes silence.
void find_output(v3_audio_bus_buffers& bus, int length, std::array<float*, kPluginChannels>& to) {
    bus.channel_silence_bitset = 0;
    if (bus.channel_buffers_32 == nullptr) return;
    for (int c = 0; c < bus.num_channels; ++c) {
        float* samples = bus.channel_buffers_32[c];
        if (samples == nullptr) continue;
        if (c < kPluginChannels) {
            to[static_cast<std::size_t>(c)] = samples;
        } else {
            std::fill(samples, samples + length, 0.0f);
        }
    }
}

void find_input(const v3_audio_bus_buffers& bus, std::array<const float*, kPluginChannels>& to) {
    if (bus.channel_buffers_32 == nullptr) return;
    for (int c = 0; c < std::min<int>(bus.num_channels, kPluginChannels); ++c) {
        to[static_cast<std::size_t>(c)] = bus.channel_buffers_32[c];
    }
}

void silence(const Outputs& outputs, int length) {
    const auto fill = [&](float* samples) {
        if (samples != nullptr) std::fill(samples, samples + length, 0.0f);
    };
    for (float* samples : outputs.main) fill(samples);
    for (const auto& stem : outputs.stems) {
        for (float* samples : stem) fill(samples);
    }
}

v3_result V3_API process(void* self, v3_process_data* data) {
    Vst3Plugin& plugin = plugin_of(self);
    if (data == nullptr || data->symbolic_sample_size != V3_SAMPLE_32 || data->nframes < 0) {
        return V3_INVALID_ARG;
    }
    Block block;
    block.length = data->nframes;
    block.offline = data->process_mode == V3_OFFLINE;
    if (data->inputs != nullptr && data->num_input_buses > 0) {
        find_input(data->inputs[0], block.input);
    }
    const int buses = data->outputs == nullptr ? 0 : std::min(data->num_output_buses, kOutputBuses);
    for (int bus = 0; bus < buses; ++bus) {
        auto& to = bus == 0 ? block.output.main
                            : block.output.stems[static_cast<std::size_t>(bus - 1)];
        find_output(data->outputs[bus], block.length, to);
    }
    collect(data->input_params, plugin.changes, plugin.stems.values());
    block.changes = &plugin.changes;
    if (!plugin.active) silence(block.output, block.length);
    plugin.stems.process(block);
    return plugin.active ? V3_OK : V3_NOT_INITIALIZED;
}

std::uint32_t V3_API get_tail_samples(void* self) { return get_latency_samples(self); }

v3_audio_processor_cpp make_table() {
    v3_audio_processor_cpp table{};
    static_cast<v3_funknown&>(table) = unknown_table();
    table.proc = {set_bus_arrangements, get_bus_arrangement, can_process_sample_size,
                  get_latency_samples,  setup_processing,    set_processing,
                  process,              get_tail_samples};
    return table;
}

}  // namespace

const v3_audio_processor_cpp& processor_table() {
    static const v3_audio_processor_cpp table = make_table();
    return table;
}

}  // namespace streamsep
