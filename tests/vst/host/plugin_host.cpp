#include "plugin_host.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <thread>

namespace host {
namespace {

// Nothing a plugin puts out: shows where it has not written.
constexpr float kUnwritten = 12345.0f;
constexpr int kWide = 3;  // one channel more than the plugin knows

}  // namespace

void require(bool condition, const std::string& what) {
    if (!condition) throw std::runtime_error(what);
}

PluginHost::PluginHost(const std::string& binary) {
    library_ = dlopen(binary.c_str(), RTLD_NOW | RTLD_LOCAL);
    require(library_ != nullptr, "dlopen failed: " + binary);
    const auto enter = reinterpret_cast<bool (*)(void*)>(dlsym(library_, "ModuleEntry"));
    const auto get = reinterpret_cast<v3_plugin_factory** (*)()>(dlsym(library_, "GetPluginFactory"));
    require(enter != nullptr && get != nullptr && enter(library_), "no VST3 module");
    v3_plugin_factory** factory = get();
    v3_class_info info{};
    require(v3_cpp_obj(factory)->num_classes(factory) == 1, "one class expected");
    v3_cpp_obj(factory)->get_class_info(factory, 0, &info);
    void* instance = nullptr;
    require(v3_cpp_obj(factory)->create_instance(factory, info.class_id, v3_component_iid,
                                                 &instance) == V3_OK,
            "no instance");
    component_ = static_cast<v3_component**>(instance);
    require(v3_cpp_obj_initialize(component_, nullptr) == V3_OK, "initialize failed");
    require(v3_cpp_obj_query_interface(component_, v3_audio_processor_iid, &processor_) == V3_OK &&
                v3_cpp_obj_query_interface(component_, v3_edit_controller_iid, &controller_) ==
                    V3_OK,
            "no processor or controller");
    auto** pointer = reinterpret_cast<v3_component_handler**>(&handler);
    v3_cpp_obj(controller_)->set_component_handler(controller_, pointer);
    require(v3_cpp_obj(component_)->get_bus_count(component_, V3_AUDIO, V3_OUTPUT) == kBuses,
            "five output buses expected");
    for (int bus = 0; bus < kBuses; ++bus) {
        v3_cpp_obj(component_)->activate_bus(component_, V3_AUDIO, V3_OUTPUT, bus, 1);
    }
}

PluginHost::~PluginHost() {
    if (active_) set_active(false);
    v3_cpp_obj(controller_)->set_component_handler(controller_, nullptr);
    v3_cpp_obj_terminate(component_);
    v3_cpp_obj_unref(controller_);
    v3_cpp_obj_unref(processor_);
    v3_cpp_obj_unref(component_);
    reinterpret_cast<bool (*)()>(dlsym(library_, "ModuleExit"))();
    dlclose(library_);
}

void PluginHost::set_up(double rate, int longest_block, int mode, int channels) {
    rate_ = rate;
    channels_ = channels;
    const v3_speaker_arrangement speakers =
        channels == 1 ? V3_SPEAKER_M : V3_SPEAKER_L | V3_SPEAKER_R;
    v3_speaker_arrangement in = speakers;
    std::array<v3_speaker_arrangement, kBuses> out;
    out.fill(speakers);
    require(v3_cpp_obj(processor_)->set_bus_arrangements(processor_, &in, 1, out.data(), kBuses) ==
                V3_TRUE,
            "the speakers were refused");
    v3_process_setup setup{mode, V3_SAMPLE_32, longest_block, rate};
    require(v3_cpp_obj(processor_)->setup_processing(processor_, &setup) == V3_OK,
            "the setup was refused");
}

void PluginHost::set_active(bool state) {
    require(v3_cpp_obj(component_)->set_active(component_, state) == V3_OK, "set_active failed");
    active_ = state;
}

void PluginHost::set_processing(bool state) {
    v3_cpp_obj(processor_)->set_processing(processor_, state);
}

unsigned PluginHost::latency() { return v3_cpp_obj(processor_)->get_latency_samples(processor_); }

unsigned PluginHost::tail() { return v3_cpp_obj(processor_)->get_tail_samples(processor_); }

std::string PluginHost::state() {
    Stream stream;
    require(v3_cpp_obj(component_)->get_state(component_, stream.pointer()) == V3_OK, "no state");
    return stream.data;
}

bool PluginHost::restore(const std::string& state) {
    Stream stream(state);
    const bool taken = v3_cpp_obj(component_)->set_state(component_, stream.pointer()) == V3_OK;
    stream.place = 0;
    v3_cpp_obj(controller_)->set_component_state(controller_, stream.pointer());
    return taken;
}

void PluginHost::set_parameter(unsigned id, double value) {
    v3_cpp_obj(controller_)->set_parameter_normalised(controller_, id, value);
}

double PluginHost::parameter(unsigned id) {
    return v3_cpp_obj(controller_)->get_parameter_normalised(controller_, id);
}

int PluginHost::parameters() {
    return v3_cpp_obj(controller_)->get_parameter_count(controller_);
}

void PluginHost::process(int length, int mode, const Handling& handling) {
    const auto size = static_cast<std::size_t>(length);
    std::vector<std::vector<float>> in(static_cast<std::size_t>(channels_),
                                       std::vector<float>(size));
    for (std::size_t c = 0; c < in.size() && c < input.size(); ++c) {
        for (std::size_t k = 0; k < size && position + k < input[c].size(); ++k) {
            in[c][k] = input[c][position + k];
        }
    }
    std::vector<std::vector<float>> out(kBuses * kWide, std::vector<float>(size, kUnwritten));
    std::array<float*, kSides> in_pointers{};
    std::array<std::array<float*, kWide>, kBuses> out_pointers{};
    std::array<v3_audio_bus_buffers, kBuses> outputs{};
    for (std::size_t c = 0; c < in.size(); ++c) in_pointers[c] = in[c].data();
    for (std::size_t bus = 0; bus < kBuses; ++bus) {
        outputs[bus].num_channels = channels_ == 1 ? 1 : kWide;
        outputs[bus].channel_silence_bitset = ~std::uint64_t{0};
        outputs[bus].channel_buffers_32 = out_pointers[bus].data();
        for (std::size_t c = 0; c < kWide; ++c) out_pointers[bus][c] = out[bus * kWide + c].data();
        if (bus > 0 && handling.null_buses) outputs[bus].channel_buffers_32 = nullptr;
    }
    for (std::size_t c = 0; handling.in_place && c < in.size(); ++c) {
        out_pointers[0][c] = in_pointers[c];
    }
    v3_audio_bus_buffers inputs{};
    inputs.num_channels = channels_;
    inputs.channel_buffers_32 = in_pointers.data();
    v3_process_data data{};
    data.process_mode = mode;
    data.symbolic_sample_size = V3_SAMPLE_32;
    data.nframes = length;
    data.num_input_buses = handling.no_input ? 0 : 1;
    data.inputs = handling.no_input ? nullptr : &inputs;
    data.num_output_buses = handling.no_outputs ? 0 : kBuses;
    data.outputs = handling.no_outputs ? nullptr : outputs.data();
    if (!changes_.queues.empty()) {
        data.input_params = reinterpret_cast<v3_param_changes**>(&changes_);
    }
    if (handling.paced) {
        std::this_thread::sleep_for(std::chrono::duration<double>(length / rate_));
    }
    handler.in_process = true;
    audit::begin();
    const v3_result result = v3_cpp_obj(processor_)->process(processor_, &data);
    const audit::Counts counts = audit::end();
    handler.in_process = false;
    changes_.queues.clear();
    require(result == (active_ ? V3_OK : V3_NOT_INITIALIZED), "process failed");
    worst.allocations = std::max(worst.allocations, counts.allocations);
    worst.locks = std::max(worst.locks, counts.locks);
    worst.writes = std::max(worst.writes, counts.writes);
    worst.others = std::max(worst.others, counts.others);
    position += size;
    const bool has_stems = !handling.null_buses && !handling.no_outputs;
    for (std::size_t bus = 0; bus < kBuses; ++bus) {
        for (std::size_t c = 0; c < kWide && size > 0; ++c) {
            const float* samples = out_pointers[bus][c];
            const bool written = !handling.no_outputs && (bus == 0 || has_stems) &&
                                 static_cast<int>(c) < outputs[bus].num_channels;
            if (!written) continue;
            require(outputs[bus].channel_silence_bitset == 0, "silence flags were left set");
            require(std::find(samples, samples + size, kUnwritten) == samples + size,
                    "an output was not written");
            if (c == kSides) {
                require(std::all_of(samples, samples + size, [](float x) { return x == 0.0f; }),
                        "a channel too many is not silent");
            }
        }
        for (std::size_t c = 0; c < kSides; ++c) {
            auto& record = recorded[bus * kSides + c];
            const bool there = !handling.no_outputs && (bus == 0 || has_stems) &&
                               (channels_ == 2 || c == 0);
            const float* samples = out_pointers[bus][c];
            if (there) {
                record.insert(record.end(), samples, samples + size);
            } else {
                record.insert(record.end(), size, 0.0f);
            }
        }
    }
}

}  // namespace host
