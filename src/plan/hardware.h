/* Hardware as data: rows of hardware.def, own rows from a file, memory sizes with units.
 * qz_hardware_set set; qz_hardware_open(&set, file or NULL, err); qz_hardware_find(&set, "rtx 4090", &h, err);
 * qz_hardware_release(&set). Rows live in the set. Every row carries a date and a source.
 * File: one row a line, tab separated, '#' comments:
 *   name  kind  visible_MiB  bandwidth_GBps  native types (comma)  compute capability x10  date  source
 * and behind them, where known: TFLOPS in 16 bits, in 8 bits. */
#ifndef QZ_PLAN_HARDWARE_H
#define QZ_PLAN_HARDWARE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/run.h"
#include "base/status.h"

typedef struct {
    const char *name;         /* "rtx-4090-24gb" */
    const char *kind;         /* gpu, mac, cpu */
    const char *vendor;       /* nvidia, amd, apple, intel, any */
    double visible_mib;       /* memory a program can really have: visible MiB of a
                               * card, wired limit of a Mac; 0 = ask */
    double bandwidth_gbps;    /* GB/s, 10^9; 0 = unknown */
    double tflops, tflops8;   /* 10^12 operations a second in 16 and in 8 bits; 0 = none or unknown */
    const char *native;       /* types with their own arithmetic: "fp16,bf16,int8,fp8,fp4" */
    int capability;           /* CUDA compute capability x10; 0 = not CUDA */
    const char *date, *source;
} qz_hardware;

typedef struct {
    qz_hardware *rows; size_t n;
    qz_arena arena;
} qz_hardware_set;
/* Built-in rows, then those of the file; a row of the file replaces a built-in one of its name. */
qz_status qz_hardware_open(qz_hardware_set *set, const char *file, qz_error *err);
void qz_hardware_release(qz_hardware_set *set);
/* Case and punctuation do not matter, a part of a name is enough: the shortest name that holds it. QZ_EUSAGE
 * names the nearest. */
qz_status qz_hardware_find(const qz_hardware_set *set, const char *name, const qz_hardware **out, qz_error *err);
/* find, and a note on what was chosen where other rows hold the name too ("a100", "laptop"). */
qz_status qz_hardware_choose(qz_run *run, const qz_hardware_set *set, const char *name, const qz_hardware **out,
                             qz_error *err);
bool qz_hardware_native(const qz_hardware *h, const char *type);
uint64_t qz_hardware_bytes(const qz_hardware *h);
/* "24GB", "22.5 GiB", "81559MiB" -> bytes. A number without unit, or with an unknown one, is QZ_EUSAGE naming
 * both meanings. */
qz_status qz_bytes_parse(const char *text, const char *option, uint64_t *out, qz_error *err);
/* Physical memory of this machine, 0 if unknown. */
uint64_t qz_hardware_system_bytes(void);
#endif
