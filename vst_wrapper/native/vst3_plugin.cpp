#include "vst3_plugin.hpp"

namespace streamsep {
namespace {

constexpr std::size_t kLargestStream = 1024 * 1024;

v3_result V3_API query_interface(void* self, const v3_tuid iid, void** object) {
    return plugin_of(self).query(iid, object);
}

std::uint32_t V3_API ref(void* self) { return plugin_of(self).ref(); }

std::uint32_t V3_API unref(void* self) { return plugin_of(self).unref(); }

v3_result V3_API initialize(void*, v3_funknown**) { return V3_OK; }

v3_result V3_API terminate(void* self) {
    plugin_of(self).set_handler(nullptr);
    return V3_OK;
}

}  // namespace

v3_funknown unknown_table() { return {query_interface, ref, unref}; }

v3_plugin_base base_table() { return {initialize, terminate}; }

Vst3Plugin::Vst3Plugin() { output_speakers.fill(V3_SPEAKER_L | V3_SPEAKER_R); }

Vst3Plugin::~Vst3Plugin() { set_handler(nullptr); }

v3_result Vst3Plugin::query(const v3_tuid iid, void** object) {
    if (object == nullptr) return V3_INVALID_ARG;
    if (v3_tuid_match(iid, v3_funknown_iid) || v3_tuid_match(iid, v3_plugin_base_iid) ||
        v3_tuid_match(iid, v3_component_iid)) {
        *object = &component_;
    } else if (v3_tuid_match(iid, v3_audio_processor_iid)) {
        *object = &processor_;
    } else if (v3_tuid_match(iid, v3_edit_controller_iid)) {
        *object = &controller_;
    } else {
        *object = nullptr;
        return V3_NO_INTERFACE;
    }
    ref();
    return V3_OK;
}

std::uint32_t Vst3Plugin::unref() {
    const std::uint32_t left = --references_;
    if (left == 0) delete this;
    return left;
}

void Vst3Plugin::set_handler(v3_component_handler** handler) {
    if (handler != nullptr) v3_cpp_obj_ref(handler);
    if (handler_ != nullptr) v3_cpp_obj_unref(handler_);
    handler_ = handler;
}

void Vst3Plugin::report_latency() {
    if (handler_ == nullptr) return;
    const std::optional<int> pending = stems.pending_preset();
    if (pending == reported_preset_) return;
    reported_preset_ = pending;
    if (!pending) return;
    v3_cpp_obj(handler_)->restart_component(handler_, V3_RESTART_LATENCY_CHANGED);
}

void Vst3Plugin::report_values() {
    if (handler_ == nullptr) return;
    v3_cpp_obj(handler_)->restart_component(handler_, V3_RESTART_PARAM_VALUES_CHANGED);
}

bool read_stream(v3_bstream** stream, std::string& text) {
    if (stream == nullptr) return false;
    std::array<char, 4096> buffer;
    text.clear();
    while (text.size() <= kLargestStream) {
        std::int32_t size = 0;
        const v3_result result = v3_cpp_obj(stream)->read(
            stream, buffer.data(), static_cast<std::int32_t>(buffer.size()), &size);
        if (result != V3_OK || size <= 0) return result == V3_OK || !text.empty();
        text.append(buffer.data(), static_cast<std::size_t>(size));
    }
    return false;
}

}  // namespace streamsep
