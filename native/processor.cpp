// Which builds of the engine there are, and which of them this processor can run.
#include <cstring>
#include <stdexcept>

#include "engine.hpp"

namespace microgpt {

#if defined(MICROGPT_X86)
namespace v2 {
Engine* make(const Shape&, const Adam&, Index);
}
namespace v3 {
Engine* make(const Shape&, const Adam&, Index);
}
namespace v4 {
Engine* make(const Shape&, const Adam&, Index);
}
#else
namespace portable {
Engine* make(const Shape&, const Adam&, Index);
}
#endif

namespace {

struct Build {
    const char* name;
    Engine* (*make)(const Shape&, const Adam&, Index);
    bool (*runs)();
};

const Build all[] = {
#if defined(MICROGPT_X86)
    {"v2", v2::make, [] { return __builtin_cpu_supports("sse4.2") != 0; }},
    {"v3", v3::make,
     [] { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }},
    {"v4", v4::make,
     [] {
         return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                __builtin_cpu_supports("avx512vl");
     }},
#else
    {"portable", portable::make, [] { return true; }},
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

Engine* make_engine(const char* build, const Shape& shape, const Adam& adam, Index threads) {
    return find(build).make(shape, adam, threads);
}

}  // namespace microgpt
