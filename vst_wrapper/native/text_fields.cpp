#include "text_fields.hpp"

#include <algorithm>

#include "remote_error.hpp"

namespace streamsep {
namespace {

constexpr std::size_t kLongestName = 32;
constexpr std::size_t kLongestLine = 400;

bool is_name(std::string_view text) {
    const auto lower = [](char c) { return c >= 'a' && c <= 'z'; };
    const auto inner = [&](char c) { return lower(c) || (c >= '0' && c <= '9') || c == '_'; };
    return !text.empty() && text.size() <= kLongestName && lower(text[0]) &&
           std::all_of(text.begin(), text.end(), inner);
}

bool is_control(unsigned char byte) { return byte < 0x20 || byte == 0x7f; }

// Bytes of the UTF-8 character at the start of a text; 0 if there is none.
// Source: RFC 3629, section 4.
std::size_t character_length(std::string_view text) {
    const auto at = [&](std::size_t k) { return static_cast<unsigned char>(text[k]); };
    const unsigned char first = at(0);
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
    for (std::size_t k = 1; k < length; ++k) {
        if ((at(k) & 0xc0) != 0x80) return 0;
    }
    const unsigned char second = at(1);
    const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
    const bool beyond = (first == 0xed && second > 0x9f) || (first == 0xf4 && second > 0x8f);
    return overlong || beyond ? 0 : length;
}

bool is_printable(std::string_view text) {
    while (!text.empty()) {
        const std::size_t length = character_length(text);
        if (length == 0 || is_control(static_cast<unsigned char>(text[0]))) return false;
        text.remove_prefix(length);
    }
    return true;
}

}  // namespace

TextFields TextFields::parse(std::string_view text) {
    TextFields fields;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.empty()) continue;
        const std::size_t equals = line.find('=');
        if (equals == std::string_view::npos || !is_name(line.substr(0, equals)) ||
            !is_printable(line.substr(equals + 1))) {
            throw RemoteError("expected a line name=value, got " + one_line(line.substr(0, 40)));
        }
        const std::string name(line.substr(0, equals));
        if (fields.find(name) != nullptr) {
            throw RemoteError("the field " + name + " is there twice");
        }
        fields.add(name, std::string(line.substr(equals + 1)));
    }
    return fields;
}

void TextFields::add(const std::string& name, const std::string& value) {
    fields_.emplace_back(name, value);
}

const std::string* TextFields::find(std::string_view name) const {
    for (const auto& field : fields_) {
        if (field.first == name) return &field.second;
    }
    return nullptr;
}

const std::string& TextFields::text(std::string_view name) const {
    const std::string* value = find(name);
    if (value == nullptr) throw RemoteError("the field " + std::string(name) + " is missing");
    return *value;
}

long long TextFields::number(std::string_view name, long long lowest, long long highest) const {
    const std::string& digits = text(name);
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (digits.empty() || digits.size() > 12 ||
        !std::all_of(digits.begin(), digits.end(), is_digit)) {
        throw RemoteError("the field " + std::string(name) + " is a whole number, got " +
                          one_line(digits).substr(0, 40));
    }
    const long long value = std::stoll(digits);
    if (value < lowest || value > highest) {
        throw RemoteError(std::string(name) + " is " + std::to_string(lowest) + " to " +
                          std::to_string(highest) + ", got " + digits);
    }
    return value;
}

std::string TextFields::format() const {
    std::string text;
    for (const auto& field : fields_) text += field.first + '=' + field.second + '\n';
    return text;
}

std::string one_line(std::string_view text) {
    std::string line;
    while (!text.empty() && line.size() < kLongestLine) {
        const std::size_t length = character_length(text);
        if (length == 0 || is_control(static_cast<unsigned char>(text[0]))) {
            line += '?';
            text.remove_prefix(1);
        } else {
            line += text.substr(0, length);
            text.remove_prefix(length);
        }
    }
    return line;
}

}  // namespace streamsep
