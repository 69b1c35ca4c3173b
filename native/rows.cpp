#include "rows.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <new>

#include "border.hpp"

namespace microgpt {
namespace {

constexpr char hex[] = "0123456789abcdef";
constexpr std::array<double, 7> powers = {1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
// The first byte of the surrogates in UTF-8, and the least second one: below are characters.
constexpr unsigned char surrogate = 0xED, second = 0xA0;
// The most bytes of a number, without the spaces before it.
constexpr std::size_t most_digits = 32;

// Pairs of digits: 00, 01, ... 99.
constexpr std::array<char, 200> pairs = [] {
    std::array<char, 200> found{};
    for (std::size_t i = 0; i < found.size(); ++i)
        found[i] = static_cast<char>('0' + (i % 2 ? i / 2 % 10 : i / 20));
    return found;
}();

template <class Word>
void copy_word(char* to, const char* from) {
    Word word;
    std::memcpy(&word, from, sizeof word);
    std::memcpy(to, &word, sizeof word);
}

// Copy a few bytes: most words are short, and calling memcpy takes longer.
inline void copy(char* to, const char* from, std::size_t size) {
    if (size > 16) {
        std::memcpy(to, from, size);
    } else if (size >= 8) {
        copy_word<std::uint64_t>(to, from);
        copy_word<std::uint64_t>(to + size - 8, from + size - 8);
    } else if (size >= 4) {
        copy_word<std::uint32_t>(to, from);
        copy_word<std::uint32_t>(to + size - 4, from + size - 4);
    } else {
        for (std::size_t i = 0; i < size; ++i) to[i] = from[i];
    }
}

// The letter after the backslash of a short escape of JSON; 0: there is none.
constexpr char short_escape(char c) {
    switch (c) {
        case '"': case '\\': return c;
        case '\b': return 'b';
        case '\f': return 'f';
        case '\n': return 'n';
        case '\r': return 'r';
        case '\t': return 't';
        default: return 0;
    }
}

bool is_quoted(std::string_view part, std::string_view delimiter) {
    return part.find_first_of("\"\r\n") != part.npos || part.find(delimiter) != part.npos;
}

}  // namespace

void TextRows::same(std::string word) {
    if (!columns_.empty() && columns_.back().kind == Kind::same)
        return static_cast<void>(columns_.back().word += word);
    Column& column = columns_.emplace_back();
    column.kind = Kind::same, column.word = std::move(word);
}

void TextRows::choose(Utf8 text, const Index* offsets, Index words, const Index* which_D) {
    Column& column = columns_.emplace_back();
    column.kind = Kind::choose, column.text = text;
    column.starts = offsets, column.words = words, column.stops = which_D;
}

void TextRows::cut(Utf8 text, const Index* starts_D, const Index* stops_D, const bool* ended_D,
                   std::string end, Quoting quoting, std::string delimiter) {
    Column& column = columns_.emplace_back();
    column.kind = Kind::cut, column.text = text, column.starts = starts_D, column.stops = stops_D;
    column.ended = ended_D, column.word = std::move(end);
    column.quoting = quoting, column.delimiter = std::move(delimiter);
    auto& special = column.special;
    special[surrogate] = true;
    if (quoting == Quoting::json) {
        std::fill_n(special.begin(), ' ', true);
        special['"'] = special['\\'] = true;
    } else if (quoting == Quoting::csv) {
        special['"'] = special['\r'] = special['\n'] = true;
        special[static_cast<unsigned char>(column.delimiter.c_str()[0])] = true;
    }
}

void TextRows::decimal(const double* values_D, int places, int width) {
    Column& column = columns_.emplace_back();
    column.kind = Kind::decimal, column.values = values_D;
    column.places = places, column.width = width;
}

void TextRows::whole(const Index* numbers_D, int width, std::string zero) {
    Column& column = columns_.emplace_back();
    column.kind = Kind::whole, column.starts = numbers_D;
    column.width = width, column.word = std::move(zero);
}

std::string_view TextRows::joined(Index* offsets) {
    for (Index d = 0; d < rows_; ++d) {
        offsets[d] = static_cast<Index>(size_);
        for (const Column& column : columns_) write(column, d);
    }
    offsets[rows_] = static_cast<Index>(size_);
    return {buffer_.get(), size_};
}

void TextRows::write(const Column& column, Index d) {
    switch (column.kind) {
        case Kind::same: return add(column.word);
        case Kind::choose: {
            const Index i = column.stops ? column.stops[d] : d;
            if (i < 0 || i >= column.words)
                throw InputError("a word must be one of " + number(column.words) +
                                 "; got number " + number(i) + ".");
            return add(part(column.text, column.starts[i], column.starts[i + 1]));
        }
        case Kind::cut: return write_cut(column, d);
        case Kind::decimal: {
            const double value = column.values[d];
            if (!(value > -1e-9 && value < 1e9))
                throw InputError("a number must be from 0 to 1e9; got " + std::to_string(value) +
                                 ".");
            const auto power = powers[static_cast<std::size_t>(column.places)];
            const auto units = static_cast<std::uint64_t>(std::llrint(value * power));
            return write_digits(units, column.places, column.width);
        }
        case Kind::whole: {
            const Index n = column.starts[d];
            if (n < 0) throw InputError("a whole number must be from 0; got " + number(n) + ".");
            if (n == 0 && !column.word.empty()) return add(column.word);
            return write_digits(static_cast<std::uint64_t>(n), 0, column.width);
        }
    }
}

std::string_view TextRows::part(Utf8 text, Index start, Index stop) {
    if (start < 0 || stop < start || stop > text.size)
        throw InputError("a part must be of the text, which has " + number(text.size) +
                         " bytes; got " + number(start) + " to " + number(stop) + ".");
    return {text.bytes + start, static_cast<std::size_t>(stop - start)};
}

void TextRows::write_cut(const Column& column, Index d) {
    const std::string_view its = part(column.text, column.starts[d], column.stops[d]);
    const bool is_ended = column.ended && column.ended[d];
    const std::string_view end = is_ended ? std::string_view(column.word) : std::string_view();
    const bool is_csv = column.quoting == Quoting::csv;
    bool is_plain = !(is_csv && is_ended && is_quoted(end, column.delimiter));
    for (const char c : its) is_plain &= !column.special[static_cast<unsigned char>(c)];
    if (is_plain) {
        add(its);
        return add(end);
    }
    const bool is_cell = is_csv && (is_quoted(its, column.delimiter) ||
                                    is_quoted(end, column.delimiter));
    if (is_cell) add("\"");
    quote(its, column);
    add(end);
    if (is_cell) add("\"");
}

void TextRows::quote(std::string_view part, const Column& column) {
    std::size_t copied = 0;
    for (std::size_t i = 0; i < part.size(); ++i) {
        const auto c = static_cast<unsigned char>(part[i]);
        if (!column.special[c]) continue;
        if (c == surrogate) {
            const auto next = static_cast<unsigned char>(i + 2 < part.size() ? part[i + 1] : '\0');
            if (next < second) continue;
            const unsigned code = 0xD000u | (next & 0x3Fu) << 6 |
                                  (static_cast<unsigned char>(part[i + 2]) & 0x3Fu);
            const char escape[] = {'\\', 'u', 'd', hex[code >> 8 & 15], hex[code >> 4 & 15],
                                   hex[code & 15]};
            add(part.substr(copied, i - copied));
            add({escape, sizeof escape});
            i += 2;
            copied = i + 1;
            continue;
        }
        if (column.quoting == Quoting::csv && c != '"') continue;
        add(part.substr(copied, i - copied));
        copied = i + 1;
        if (column.quoting == Quoting::csv) {
            add("\"\"");
        } else if (const char letter = short_escape(part[i])) {
            const char escape[] = {'\\', letter};
            add({escape, sizeof escape});
        } else {
            const char escape[] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
            add({escape, sizeof escape});
        }
    }
    add(part.substr(copied));
}

void TextRows::write_digits(std::uint64_t units, int places, int width) {
    char digits[most_digits];
    char *at = digits + most_digits, *const point = at - places;
    // Two at a time: each division waits for the one before it.
    const auto down_to = [&](const char* stop) {
        for (; at - stop >= 2; units /= 100) at -= 2, copy(at, &pairs[units % 100 * 2], 2);
        if (at > stop) *--at = static_cast<char>('0' + units % 10), units /= 10;
    };
    down_to(point);
    if (places > 0) *--at = '.';
    do *--at = static_cast<char>('0' + units % 10);
    while (units /= 10);
    const auto length = static_cast<std::size_t>(digits + most_digits - at);
    const auto wide = std::max(static_cast<std::size_t>(width), length);
    char* to = room(wide);
    for (std::size_t i = 0; i < wide - length; ++i) *to++ = ' ';
    copy(to, at, length);
    size_ += wide;
}

inline void TextRows::add(std::string_view bytes) {
    copy(room(bytes.size()), bytes.data(), bytes.size());
    size_ += bytes.size();
}

inline char* TextRows::room(std::size_t most) {
    if (capacity_ - size_ < most) grow(most);
    return buffer_.get() + size_;
}

void TextRows::grow(std::size_t most) {
    const std::size_t capacity = std::max(2 * capacity_, size_ + most);
    // Not the throwing operator: a sanitizer would end the program there.
    std::unique_ptr<char[]> grown(new (std::nothrow) char[capacity]);
    if (!grown) throw std::bad_alloc();
    if (size_ > 0) std::memcpy(grown.get(), buffer_.get(), size_);
    buffer_ = std::move(grown);
    capacity_ = capacity;
}

}  // namespace microgpt
