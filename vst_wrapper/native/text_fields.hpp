// Named values as text, one `name=value` a line: bodies of messages, and the plugin's state.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace streamsep {

class TextFields {
public:
    // Throws RemoteError unless the text is valid UTF-8 of such lines, each name there once.
    static TextFields parse(std::string_view text);

    void add(const std::string& name, const std::string& value);
    void add(const std::string& name, long long value) { add(name, std::to_string(value)); }

    // The value, or nullptr.
    const std::string* find(std::string_view name) const;

    // Throws RemoteError if the name is missing.
    const std::string& text(std::string_view name) const;

    // Throws RemoteError unless the value is a whole number, digits only, within these limits.
    long long number(std::string_view name, long long lowest, long long highest) const;

    std::string format() const;

private:
    std::vector<std::pair<std::string, std::string>> fields_;
};

// The text with everything that could break a line, or is no UTF-8, replaced; at most 400 bytes.
std::string one_line(std::string_view text);

}  // namespace streamsep
