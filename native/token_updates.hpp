// Updates of the token embedding of a large vocabulary. A step reads few of its rows, and the
// gradients of all others are zero: Adam's updates of a row with such gradients are put off until
// the row is read, or the last step is made. They are then computed in the same order from the same
// numbers, to the same bits, but the row passes through the caches once.
#pragma once

#include <vector>

#include "array.hpp"
#include "gradients.hpp"

namespace microgpt::MICROGPT_BUILD {

class TokenUpdates {
  public:
    TokenUpdates(const Layout& layout, const Buffers& buffers)
        : D_(layout.D), vocab_size_(layout.shape.vocab_size), buffers_(buffers) {}

    // Make room for some steps; throws std::bad_alloc.
    void reserve(Index steps) {
        made_.reserve(vocab_size_);
        updates_.reserve(static_cast<std::size_t>(steps));
    }

    // Begin a step: catch up with the rows that it reads, and set their gradients to zero.
    void begin(const Documents& batch, float* d_parameters) noexcept {
        batch_ = batch;
        each_token(batch, [&](Index row) {
            catch_up(row);
            std::fill_n(d_parameters + row * D_, D_, 0.0f);
        });
    }
    // Set all gradients to zero.
    void clear(float* d_parameters) const noexcept {
        std::fill_n(d_parameters, vocab_size_ * D_, 0.0f);
    }
    // Add the gradients of a piece of the batch, in the order of its positions.
    void add(const Documents& piece, const float* dx_ND, float* d_parameters) const noexcept {
        each_token(piece, [&](Index row) {
            float* d_row = d_parameters + row * D_;
            for (Index i = 0; i < D_; i += lanes)
                store(d_row + i, load(d_row + i) + load(dx_ND + i));
            dx_ND += D_;
        });
    }
    // End the step: update the rows of its tokens.
    void update(const AdamUpdate& update, const float* d_parameters) {
        updates_.push_back(update);
        const Index made = static_cast<Index>(updates_.size());
        each_token(batch_, [&](Index row) {
            if (made_[row] == made) return;
            update(D_, d_parameters + row * D_, buffers_, row * D_);
            made_[row] = made;
        });
    }

    // How many parts the rows are finished in, when the last step is made; then forget the steps.
    Index parts() const { return (vocab_size_ + rows - 1) / rows; }
    void finish(Index part) noexcept {
        const Index last = std::min(vocab_size_, (part + 1) * rows);
        for (Index row = part * rows; row < last; ++row) {
            catch_up(row);
            made_[row] = 0;
        }
    }
    void forget() noexcept { updates_.clear(); }

  private:
    static constexpr Index rows = 1024;  // of a part

    template <class F>
    static void each_token(const Documents& batch, F f) {
        for (Index n = batch.offsets[0]; n < batch.offsets[batch.count]; ++n)
            f(static_cast<Index>(batch.tokens_N[n]));
    }

    // Make the updates of a row that have been put off.
    void catch_up(Index row) noexcept {
        const Index last = static_cast<Index>(updates_.size()), first = made_[row];
        made_[row] = static_cast<std::int32_t>(last);
        if (first == last) return;
        for (Index i = row * D_; i < (row + 1) * D_; i += lanes)
            AdamUpdate::without_gradients(updates_.data() + first, last - first, buffers_, i);
    }

    const Index D_, vocab_size_;
    const Buffers& buffers_;
    Documents batch_{};  // the step's
    Array<std::int32_t> made_;  // how many of the updates each row has had
    std::vector<AdamUpdate> updates_;  // those of the steps so far
};

}  // namespace microgpt::MICROGPT_BUILD
