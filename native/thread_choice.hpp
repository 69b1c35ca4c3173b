// Whether several threads are quicker than one: measured while training.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>

#include "shape.hpp"

namespace microgpt::MICROGPT_BUILD {

// Decides by measuring whether several threads are quicker than one: on a busy machine they may not
// be. In a trial four steps are made with several threads and the next four with one, and the
// quicker way is taken for the steps after it. The next trial is after 256 steps, or later the more
// often trials have agreed. Results are the same bits either way.
class ThreadChoice {
  public:
    // Begin to time a step of this much work; return whether several threads should make it.
    bool several(Index work) {
        if (step_ == until_) begin_trial();
        several_ = step_ < 2 * trials ? step_ < trials : is_several_quicker();
        ++step_;
        work_ = work;
        began_ = Clock::now();
        return several_;
    }
    // End the step. The least time counts: in the first steps after a change threads are still
    // waking up and their caches filling.
    void end() {
        if (work_ == 0) return;
        const std::chrono::duration<double> took = Clock::now() - began_;
        least_[several_] = std::fmin(least_[several_], took.count() / static_cast<double>(work_));
        work_ = 0;
    }
    // Leave the step that begins untimed.
    void skip() { work_ = 0; }

  private:
    using Clock = std::chrono::steady_clock;
    static constexpr Index trials = 4, least_steps = 256, most_steps = 16384;

    bool is_several_quicker() const { return least_[1] < least_[0]; }
    void begin_trial() {
        const bool agrees = is_several_quicker() == was_several_quicker_;
        until_ = agrees ? std::min(2 * until_, most_steps) : least_steps;
        was_several_quicker_ = is_several_quicker();
        least_[0] = least_[1] = HUGE_VAL;
        step_ = 0;
    }

    double least_[2] = {HUGE_VAL, HUGE_VAL};  // seconds per unit of work: one thread, several
    Index step_ = 0, until_ = least_steps, work_ = 0;  // steps since a trial began; the next trial
    Clock::time_point began_;
    bool several_ = false, was_several_quicker_ = false;
};

}  // namespace microgpt::MICROGPT_BUILD
