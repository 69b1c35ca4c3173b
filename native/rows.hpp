// Rows of text, laid out from columns. The caller decides which columns there are; here are bytes
// alone. Compiled once for all builds.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "shape.hpp"

namespace microgpt {

// How a part of a text is written: as it stands, inside a JSON string, or as a cell of CSV.
enum class Quoting { none, json, csv };

// A text in UTF-8, in which a lone surrogate has three bytes.
struct Utf8 {
    const char* bytes;
    Index size;
};

// Rows, to which columns are added from left to right. Lone surrogates are written as escapes. What
// pointers point to must outlive the rows; each of its numbers is read once, and then checked.
class TextRows {
  public:
    explicit TextRows(Index rows) : rows_(rows) {}

    // The same word in every row.
    void same(std::string word);
    // In row d word which_D[d] of a text, which has the bytes from its offset to the next one;
    // without which_D, word d.
    void choose(Utf8 text, const Index* offsets, Index words, const Index* which_D);
    // In row d the bytes from starts_D[d] to stops_D[d], with `end` behind them where ended_D[d].
    void cut(Utf8 text, const Index* starts_D, const Index* stops_D, const bool* ended_D,
             std::string end, Quoting quoting, std::string delimiter);
    // A number from 0, below 1e9, with 1 to 6 decimals: its product with 10^places is rounded, half
    // to even. Spaces before it fill `width`, at most 32.
    void decimal(const double* values_D, int places, int width);
    // A whole number from 0; if there is a `zero`, that stands in place of 0.
    void whole(const Index* numbers_D, int width, std::string zero);

    // All rows end to end, once; offsets are of each row and of the end of the last. Throws
    // InputError where a number is out of bounds.
    std::string_view joined(Index* offsets);

  private:
    enum class Kind { same, choose, cut, decimal, whole };
    struct Column {
        Kind kind;
        Utf8 text{};
        const Index *starts = nullptr, *stops = nullptr;
        Index words = 0;
        const bool* ended = nullptr;
        const double* values = nullptr;
        int places = 0, width = 0;
        Quoting quoting = Quoting::none;
        std::string word, delimiter;
        std::array<bool, 256> special{};  // bytes for which a part is not copied as it stands
    };

    void write(const Column& column, Index d);
    static std::string_view part(Utf8 text, Index start, Index stop);
    void write_cut(const Column& column, Index d);
    void write_digits(std::uint64_t units, int places, int width);
    void quote(std::string_view part, const Column& column);
    // Copy bytes behind the others.
    void add(std::string_view bytes);
    // Return where the next bytes go, of which there are at most so many.
    char* room(std::size_t most);
    void grow(std::size_t most);

    const Index rows_;
    std::vector<Column> columns_;
    std::unique_ptr<char[]> buffer_;
    std::size_t size_ = 0, capacity_ = 0;
};

}  // namespace microgpt
