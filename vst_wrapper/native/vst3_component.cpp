// The component: buses, activation, state.
#include <exception>

#include "vst3_plugin.hpp"
#include "vst3_text.hpp"

namespace streamsep {
namespace {

constexpr std::array<const char*, kOutputBuses> kOutputNames = {"Main", "Drums", "Bass", "Other",
                                                                "Vocals"};

bool is_bus(std::int32_t media, std::int32_t direction, std::int32_t index) {
    const int count = direction == V3_INPUT ? 1 : kOutputBuses;
    return media == V3_AUDIO && index >= 0 && index < count;
}

v3_result V3_API get_controller_class_id(void*, v3_tuid) { return V3_NOT_IMPLEMENTED; }

v3_result V3_API set_io_mode(void*, std::int32_t) { return V3_NOT_IMPLEMENTED; }

std::int32_t V3_API get_bus_count(void*, std::int32_t media, std::int32_t direction) {
    if (media != V3_AUDIO) return 0;
    return direction == V3_INPUT ? 1 : kOutputBuses;
}

v3_result V3_API get_bus_info(void* self, std::int32_t media, std::int32_t direction,
                              std::int32_t index, v3_bus_info* info) {
    if (info == nullptr || !is_bus(media, direction, index)) return V3_INVALID_ARG;
    const Vst3Plugin& plugin = plugin_of(self);
    const auto bus = static_cast<std::size_t>(index);
    const v3_speaker_arrangement speakers =
        direction == V3_INPUT ? plugin.input_speakers : plugin.output_speakers[bus];
    *info = {};
    info->media_type = media;
    info->direction = direction;
    info->channel_count = speakers == V3_SPEAKER_M ? 1 : kPluginChannels;
    copy_text(direction == V3_INPUT ? "Mixture" : kOutputNames[bus], info->bus_name);
    info->bus_type = index == 0 ? V3_MAIN : V3_AUX;
    info->flags = index == 0 ? V3_DEFAULT_ACTIVE : 0;
    return V3_OK;
}

v3_result V3_API get_routing_info(void*, v3_routing_info*, v3_routing_info*) {
    return V3_NOT_IMPLEMENTED;
}

// Whatever is switched off comes as null or absent buffers, so there is nothing to remember.
v3_result V3_API activate_bus(void*, std::int32_t media, std::int32_t direction,
                              std::int32_t index, v3_bool) {
    return is_bus(media, direction, index) ? V3_OK : V3_INVALID_ARG;
}

v3_result V3_API set_active(void* self, v3_bool state) {
    Vst3Plugin& plugin = plugin_of(self);
    try {
        plugin.active = false;
        if (state) {
            plugin.stems.set_channels(plugin.input_speakers == V3_SPEAKER_M ? 1 : kPluginChannels);
            plugin.stems.activate();
            plugin.forget_reported_latency();
            plugin.active = true;
        } else {
            plugin.stems.deactivate();
        }
        return V3_OK;
    } catch (const std::exception&) {
        return V3_INTERNAL_ERR;
    }
}

v3_result V3_API set_state(void* self, v3_bstream** stream) {
    try {
        std::string text;
        if (!read_stream(stream, text)) return V3_INVALID_ARG;
        return plugin_of(self).stems.restore(text) ? V3_OK : V3_INVALID_ARG;
    } catch (const std::exception&) {
        return V3_INTERNAL_ERR;
    }
}

v3_result V3_API get_state(void* self, v3_bstream** stream) {
    if (stream == nullptr) return V3_INVALID_ARG;
    try {
        std::string text = plugin_of(self).stems.save();
        std::size_t done = 0;
        while (done < text.size()) {
            std::int32_t size = 0;
            const auto left = static_cast<std::int32_t>(text.size() - done);
            if (v3_cpp_obj(stream)->write(stream, &text[done], left, &size) != V3_OK || size <= 0) {
                return V3_INTERNAL_ERR;
            }
            done += static_cast<std::size_t>(size);
        }
        return V3_OK;
    } catch (const std::exception&) {
        return V3_INTERNAL_ERR;
    }
}

v3_component_cpp make_table() {
    v3_component_cpp table{};
    static_cast<v3_funknown&>(table) = unknown_table();
    table.base = base_table();
    table.comp = {get_controller_class_id, set_io_mode,  get_bus_count,
                  get_bus_info,            get_routing_info, activate_bus,
                  set_active,              set_state,    get_state};
    return table;
}

}  // namespace

const v3_component_cpp& component_table() {
    static const v3_component_cpp table = make_table();
    return table;
}

}  // namespace streamsep
