/* Little-endian loads and stores at any alignment. */
#ifndef QZ_BASE_BYTES_H
#define QZ_BASE_BYTES_H
#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "quantz runs on little-endian machines");
static inline uint16_t qz_load_u16le(const void *p) { uint16_t v; memcpy(&v, p, 2); return v; }
static inline uint32_t qz_load_u32le(const void *p) { uint32_t v; memcpy(&v, p, 4); return v; }
static inline uint64_t qz_load_u64le(const void *p) { uint64_t v; memcpy(&v, p, 8); return v; }
static inline float qz_load_f32le(const void *p) { float v; memcpy(&v, p, 4); return v; }
static inline double qz_load_f64le(const void *p) { double v; memcpy(&v, p, 8); return v; }
static inline void qz_store_u16le(void *p, uint16_t v) { memcpy(p, &v, 2); }
static inline void qz_store_u32le(void *p, uint32_t v) { memcpy(p, &v, 4); }
static inline void qz_store_u64le(void *p, uint64_t v) { memcpy(p, &v, 8); }
static inline void qz_store_f32le(void *p, float v) { memcpy(p, &v, 4); }
static inline uint32_t qz_f32_bits(float f) { uint32_t u; memcpy(&u, &f, 4); return u; }
static inline float qz_bits_f32(uint32_t u) { float f; memcpy(&f, &u, 4); return f; }
#endif
