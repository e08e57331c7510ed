// What a host finds in the file: how to enter it, and the factory of its one class.
#include "travesty/factory.h"

#include <new>

#include "vst3_plugin.hpp"
#include "vst3_text.hpp"

#ifndef STREAMSEP_VERSION
#error "define STREAMSEP_VERSION; 'streamsep vst build' does"
#endif

namespace streamsep {
namespace {

constexpr const char* kVendor = "streamsep";
constexpr const char* kName = "streamsep";
constexpr const char* kCategory = "Audio Module Class";
constexpr const char* kSubCategories = "Fx|Tools";
constexpr const char* kSdkVersion = "VST 3.7.4";
constexpr std::int32_t kManyInstances = 0x7FFFFFFF;
constexpr std::int32_t kUnicode = 0x10;

v3_result V3_API query_interface(void* self, const v3_tuid iid, void** object) {
    const bool known = v3_tuid_match(iid, v3_funknown_iid) ||
                       v3_tuid_match(iid, v3_plugin_factory_iid) ||
                       v3_tuid_match(iid, v3_plugin_factory_2_iid) ||
                       v3_tuid_match(iid, v3_plugin_factory_3_iid);
    *object = known ? self : nullptr;
    return known ? V3_OK : V3_NO_INTERFACE;
}

// The factory is a constant of the module.
std::uint32_t V3_API ref(void*) { return 1; }
std::uint32_t V3_API unref(void*) { return 1; }

v3_result V3_API get_factory_info(void*, v3_factory_info* info) {
    *info = {};
    copy_text(kVendor, info->vendor);
    info->flags = kUnicode;
    return V3_OK;
}

std::int32_t V3_API num_classes(void*) { return 1; }

template <class Info>
void describe(Info& info) {
    info = {};
    std::memcpy(info.class_id, kClassId, sizeof(v3_tuid));
    info.cardinality = kManyInstances;
    copy_text(kCategory, info.category);
    copy_text(kName, info.name);
}

template <class Info>
void describe_more(Info& info) {
    describe(info);
    copy_text(kSubCategories, info.sub_categories);
    copy_text(kVendor, info.vendor);
    copy_text(STREAMSEP_VERSION, info.version);
    copy_text(kSdkVersion, info.sdk_version);
}

v3_result V3_API get_class_info(void*, std::int32_t index, v3_class_info* info) {
    if (index != 0) return V3_INVALID_ARG;
    describe(*info);
    return V3_OK;
}

v3_result V3_API get_class_info_2(void*, std::int32_t index, v3_class_info_2* info) {
    if (index != 0) return V3_INVALID_ARG;
    describe_more(*info);
    return V3_OK;
}

v3_result V3_API get_class_info_utf16(void*, std::int32_t index, v3_class_info_3* info) {
    if (index != 0) return V3_INVALID_ARG;
    describe_more(*info);
    return V3_OK;
}

v3_result V3_API set_host_context(void*, v3_funknown**) { return V3_OK; }

v3_result V3_API create_instance(void*, const v3_tuid class_id, const v3_tuid iid,
                                 void** instance) {
    *instance = nullptr;
    if (!v3_tuid_match(class_id, kClassId)) return V3_NO_INTERFACE;
    try {
        auto* plugin = new Vst3Plugin;
        const v3_result result = plugin->query(iid, instance);
        plugin->unref();
        return result;
    } catch (const std::exception&) {
        return V3_NOMEM;
    }
}

v3_plugin_factory_cpp make_factory() {
    v3_plugin_factory_cpp table{};
    static_cast<v3_funknown&>(table) = {query_interface, ref, unref};
    table.v1 = {get_factory_info, num_classes, get_class_info, create_instance};
    table.v2 = {get_class_info_2};
    table.v3 = {get_class_info_utf16, set_host_context};
    return table;
}

}  // namespace
}  // namespace streamsep

#ifdef STREAMSEP_OWN_RUNTIME
// The C++ runtime that is linked in keeps 71 KiB for exceptions without memory, and would leave them
// behind whenever a host unloads the module.
namespace __gnu_cxx {
void __freeres();
}
__attribute__((destructor)) static void release_runtime() { __gnu_cxx::__freeres(); }
#endif

#define STREAMSEP_EXPORT extern "C" __attribute__((visibility("default")))

STREAMSEP_EXPORT const void* GetPluginFactory() {
    static const v3_plugin_factory_cpp table = streamsep::make_factory();
    static const v3_plugin_factory_cpp* const factory = &table;
    return &factory;
}

STREAMSEP_EXPORT bool ModuleEntry(void*) { return true; }
STREAMSEP_EXPORT bool ModuleExit() { return true; }
