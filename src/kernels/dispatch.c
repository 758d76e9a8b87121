/* Level detection and the climb: reference first, then each level over it (ops.h). */
#include "kernels/matmul.h"
#include "kernels/ops.h"

#if defined(QZ_REF_ONLY) || !defined(__x86_64__)
qz_cpu_level qz_cpu_detect(void) { return QZ_CPU_REF; }
#else
#include <cpuid.h>

/* Not a name that Clang 14's builtin knows. */
static bool has_f16c(void) {
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}

qz_cpu_level qz_cpu_detect(void) {
    __builtin_cpu_init();
    if (!(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c())) return QZ_CPU_REF;
    if (!(__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
          __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
          __builtin_cpu_supports("avx512vnni")))
        return QZ_CPU_AVX2;
    return QZ_CPU_AVX512;
}
#endif

const char *qz_cpu_name(qz_cpu_level l) {
    static const char *const names[QZ_CPU_LEVELS] = {"ref", "avx2", "avx512"};
    return (unsigned)l < QZ_CPU_LEVELS ? names[l] : "?";
}

bool qz_ops_for(qz_cpu_level level, qz_ops *ops) {
    if (level > qz_cpu_detect()) return false;
    qz_ops_ref(ops);
#if !defined(QZ_REF_ONLY) && defined(__x86_64__)
    if (level >= QZ_CPU_AVX2) qz_ops_avx2(ops);
    if (level >= QZ_CPU_AVX512) qz_ops_avx512(ops);
#endif
    return true;
}
