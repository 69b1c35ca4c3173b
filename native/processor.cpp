// The builds of the engine, and which of them this processor can run.
#include <cstring>
#include <stdexcept>

#include "engine.hpp"

namespace microgpt {

#if defined(MICROGPT_X86)
namespace v2 {
Engine* make(const Shape&, const Optimizer&, Index);
double peak();
void compare_here(const Comparison&, const Outcomes&);
}  // namespace v2
namespace v3 {
Engine* make(const Shape&, const Optimizer&, Index);
double peak();
void compare_here(const Comparison&, const Outcomes&);
}  // namespace v3
namespace v4 {
Engine* make(const Shape&, const Optimizer&, Index);
double peak();
void compare_here(const Comparison&, const Outcomes&);
}  // namespace v4
#else
namespace portable {
Engine* make(const Shape&, const Optimizer&, Index);
double peak();
void compare_here(const Comparison&, const Outcomes&);
}  // namespace portable
#endif

namespace {

struct Build {
    const char* name;
    Engine* (*make)(const Shape&, const Optimizer&, Index);
    double (*peak)();
    void (*compare)(const Comparison&, const Outcomes&);
    bool (*runs)();
};

const Build all[] = {
#if defined(MICROGPT_X86)
    {"v2", v2::make, v2::peak, v2::compare_here, [] { return __builtin_cpu_supports("sse4.2") != 0; }},
    {"v3", v3::make, v3::peak, v3::compare_here,
     [] { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }},
    {"v4", v4::make, v4::peak, v4::compare_here,
     [] {
         return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                __builtin_cpu_supports("avx512vl");
     }},
#else
    {"portable", portable::make, portable::peak, portable::compare_here,
     [] { return true; }},
#endif
};
constexpr Index n_builds = sizeof all / sizeof *all;

const Build& find(const char* name) {
    for (const Build& build : all)
        if (std::strcmp(build.name, name) == 0) return build;
    throw std::invalid_argument("there is no such build of the engine");
}

}  // namespace

const char* const* builds(Index* count) {
    static const char* names[n_builds];
    for (Index i = 0; i < n_builds; ++i) names[i] = all[i].name;
    *count = n_builds;
    return names;
}

bool runs_here(const char* build) { return find(build).runs(); }

double peak(const char* build) { return find(build).peak(); }

void compare(const char* build, const Comparison& in, const Outcomes& out) {
    find(build).compare(in, out);
}

Engine* make_engine(const char* build, const Shape& shape, const Optimizer& optimizer,
                    Index threads) {
    return find(build).make(shape, optimizer, threads);
}

}  // namespace microgpt
