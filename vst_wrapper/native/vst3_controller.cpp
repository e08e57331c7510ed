// The controller: parameters as the host shows them. There is no window; hosts draw their own.
#include <exception>

#include "vst3_plugin.hpp"
#include "vst3_text.hpp"

namespace streamsep {
namespace {

constexpr std::size_t kTextSize = 128;

const Parameter* parameter_of(v3_param_id id) {
    const int index = parameter_index(id);
    return index < 0 ? nullptr : &parameter_table()[static_cast<std::size_t>(index)];
}

// The component has taken the same state already: they are one object.
v3_result V3_API set_component_state(void* self, v3_bstream**) {
    plugin_of(self).report_values();
    plugin_of(self).report_latency();
    return V3_OK;
}

v3_result V3_API set_state(void*, v3_bstream**) { return V3_OK; }

// All of the state is the component's; hosts that write presets insist on an answer, though.
v3_result V3_API get_state(void*, v3_bstream**) { return V3_OK; }

std::int32_t V3_API get_parameter_count(void*) { return kParameters; }

v3_result V3_API get_parameter_info(void*, std::int32_t index, v3_param_info* info) {
    if (info == nullptr || index < 0 || index >= kParameters) return V3_INVALID_ARG;
    const Parameter& parameter = parameter_table()[static_cast<std::size_t>(index)];
    *info = {};
    info->param_id = parameter.id;
    copy_text(parameter.title, info->title);
    copy_text(parameter.title, info->short_title);
    copy_text(parameter.units, info->units);
    info->step_count = parameter.steps;
    info->default_normalised_value = parameter.initial;
    if (parameter.automatable) info->flags |= V3_PARAM_CAN_AUTOMATE;
    if (parameter.kind == ParameterKind::List) info->flags |= V3_PARAM_IS_LIST;
    if (parameter.id == kBypass) info->flags |= V3_PARAM_IS_BYPASS;
    return V3_OK;
}

v3_result V3_API get_parameter_string_for_value(void*, v3_param_id id, double normalised,
                                                v3_str_128 output) {
    const Parameter* parameter = parameter_of(id);
    if (parameter == nullptr || output == nullptr) return V3_INVALID_ARG;
    copy_text(to_text(*parameter, normalised), output, kTextSize);
    return V3_OK;
}

v3_result V3_API get_parameter_value_for_string(void*, v3_param_id id, std::int16_t* input,
                                                double* output) {
    const Parameter* parameter = parameter_of(id);
    if (parameter == nullptr || input == nullptr || output == nullptr) return V3_INVALID_ARG;
    return from_text(*parameter, to_ascii(input, kTextSize), *output) ? V3_OK : V3_INVALID_ARG;
}

double V3_API normalised_parameter_to_plain(void*, v3_param_id id, double normalised) {
    const Parameter* parameter = parameter_of(id);
    return parameter == nullptr ? normalised : to_plain(*parameter, normalised);
}

double V3_API plain_parameter_to_normalised(void*, v3_param_id id, double plain) {
    const Parameter* parameter = parameter_of(id);
    return parameter == nullptr ? plain : to_normalised(*parameter, plain);
}

double V3_API get_parameter_normalised(void* self, v3_param_id id) {
    const int index = parameter_index(id);
    return index < 0 ? 0.0 : plugin_of(self).stems.values().get(index);
}

v3_result V3_API set_parameter_normalised(void* self, v3_param_id id, double normalised) {
    const int index = parameter_index(id);
    if (index < 0) return V3_INVALID_ARG;
    plugin_of(self).stems.values().set(index, normalised);
    plugin_of(self).report_latency();
    return V3_OK;
}

v3_result V3_API set_component_handler(void* self, v3_component_handler** handler) {
    plugin_of(self).set_handler(handler);
    return V3_OK;
}

v3_plugin_view** V3_API create_view(void*, const char*) { return nullptr; }

v3_edit_controller_cpp make_table() {
    v3_edit_controller_cpp table{};
    static_cast<v3_funknown&>(table) = unknown_table();
    table.base = base_table();
    table.ctrl = {set_component_state,
                  set_state,
                  get_state,
                  get_parameter_count,
                  get_parameter_info,
                  get_parameter_string_for_value,
                  get_parameter_value_for_string,
                  normalised_parameter_to_plain,
                  plain_parameter_to_normalised,
                  get_parameter_normalised,
                  set_parameter_normalised,
                  set_component_handler,
                  create_view};
    return table;
}

}  // namespace

const v3_edit_controller_cpp& controller_table() {
    static const v3_edit_controller_cpp table = make_table();
    return table;
}

}  // namespace streamsep
