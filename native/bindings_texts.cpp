// The part of the Python module that is about many texts: rows of text, spans, sorted places.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "bindings.hpp"
#include "border.hpp"
#include "rows.hpp"
#include "spans.hpp"

using namespace microgpt;

namespace {

using Text = Array<std::uint8_t>;

std::string as_string(const nb::bytes& bytes) { return {bytes.c_str(), bytes.size()}; }

Utf8 utf8(const Text& text) {
    return {reinterpret_cast<const char*>(text.data()), static_cast<Index>(text.size())};
}

void check(const char* what, std::size_t size, std::size_t expected) {
    if (size != expected)
        throw InputError(std::string(what) + " must be " + std::to_string(expected) + "; got " +
                         std::to_string(size) + ".");
}

Quoting quoting(const std::string& name) {
    if (name == "none") return Quoting::none;
    if (name == "json") return Quoting::json;
    if (name == "csv") return Quoting::csv;
    throw InputError("there is no quoting \"" + name + "\".");
}

class NativeRows {
  public:
    explicit NativeRows(Index rows)
        : count_(static_cast<std::size_t>(std::max<Index>(rows, 0))), rows_(rows) {}

    void same(const nb::bytes& word) { rows_.same(as_string(word)); }

    void choose(Text text, Array<Index> offsets, std::optional<Array<Index>> which_D) {
        if (which_D) check("words chosen", which_D->size(), count_);
        const auto words = static_cast<Index>(offsets.size()) - 1;
        rows_.choose(utf8(text), offsets.data(), words, which_D ? which_D->data() : nullptr);
        keep(text), keep(offsets);
        if (which_D) keep(*which_D);
    }

    void cut(Text text, Array<Index> starts_D, Array<Index> stops_D,
             std::optional<Array<bool>> ended_D, const nb::bytes& end, const std::string& how,
             const nb::bytes& delimiter) {
        check("starts", starts_D.size(), count_);
        check("stops", stops_D.size(), count_);
        if (ended_D) check("ends", ended_D->size(), count_);
        rows_.cut(utf8(text), starts_D.data(), stops_D.data(),
                  ended_D ? ended_D->data() : nullptr, as_string(end), quoting(how),
                  as_string(delimiter));
        keep(text), keep(starts_D), keep(stops_D);
        if (ended_D) keep(*ended_D);
    }

    void decimal(Array<double> values_D, int places, int width) {
        check("numbers", values_D.size(), count_);
        if (places < 1 || places > 6 || width < 0)
            throw InputError("places must be from 1 to 6; got " + std::to_string(places) + ".");
        rows_.decimal(values_D.data(), places, width);
        keep(values_D);
    }

    void whole(Array<Index> numbers_D, int width, const nb::bytes& zero) {
        check("numbers", numbers_D.size(), count_);
        rows_.whole(numbers_D.data(), std::max(width, 0), as_string(zero));
        keep(numbers_D);
    }

    nb::tuple joined() {
        auto offsets = allocate<Index>(static_cast<Index>(count_) + 1);
        std::string_view text;
        {
            const GilReleased released;
            text = rows_.joined(offsets.get());
        }
        return nb::make_tuple(nb::bytes(text.data(), text.size()),
                              as_numpy(std::move(offsets), {count_ + 1}));
    }

  private:
    // The columns point to these.
    template <class T>
    void keep(const Array<T>& array) {
        kept_.emplace_back(array);
    }

    const std::size_t count_;
    TextRows rows_;
    std::vector<nb::ndarray<>> kept_;
};

nb::tuple spans_of(Array<double> losses_N, Array<Index> texts, double usual, double units,
                   double most) {
    if (texts.size() < 1) throw InputError("texts must have an offset; got none.");
    const std::size_t D = texts.size() - 1;
    const std::vector<Index> offsets(texts.data(), texts.data() + texts.size());
    for (std::size_t d = 0; d < D; ++d)
        if (offsets[d] < 0 || offsets[d + 1] <= offsets[d] ||
            offsets[d + 1] > static_cast<Index>(losses_N.size()))
            throw InputError("a text must have a position, and a loss at each; got " +
                             number(offsets[d]) + " to " + number(offsets[d + 1]) + ".");
    auto starts = allocate<Index>(static_cast<Index>(D));
    auto stops = allocate<Index>(static_cast<Index>(D));
    {
        const GilReleased released;
        spans(losses_N.data(), offsets.data(), static_cast<Index>(D), usual, units, most,
              starts.get(), stops.get());
    }
    return nb::make_tuple(as_numpy(std::move(starts), {D}), as_numpy(std::move(stops), {D}));
}

Result<Index> places_of(Array<double> keys, Array<double> values_D) {
    auto found = allocate<Index>(static_cast<Index>(values_D.size()));
    {
        const GilReleased released;
        places(keys.data(), static_cast<Index>(keys.size()), values_D.data(),
               static_cast<Index>(values_D.size()), found.get());
    }
    return as_numpy(std::move(found), {values_D.size()});
}

}  // namespace

void microgpt::bind_texts(nb::module_& m) {
    m.def("spans", spans_of);
    m.def("places", places_of);
    nb::class_<NativeRows>(m, "TextRows")
        .def(nb::init<Index>())
        .def("same", &NativeRows::same)
        .def("choose", &NativeRows::choose, nb::arg(), nb::arg(), nb::arg().none())
        .def("cut", &NativeRows::cut, nb::arg(), nb::arg(), nb::arg(), nb::arg().none(), nb::arg(),
             nb::arg(), nb::arg())
        .def("decimal", &NativeRows::decimal)
        .def("whole", &NativeRows::whole)
        .def("joined", &NativeRows::joined);
}
