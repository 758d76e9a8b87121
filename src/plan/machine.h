/* The machine that options name: a row of hardware, a plain size, a card by size and capability, or this machine.
 *   qz_machine m; qz_machine_open(run, &(qz_machine_asked){.hardware = "t4"}, &m, err); … m.hardware (NULL: none was
 *   asked for) …; qz_machine_release(&m).
 * One reading of --hardware, --hardware-file, --memory and --cc for pick, check and explain launch. */
#ifndef QZ_PLAN_MACHINE_H
#define QZ_PLAN_MACHINE_H
#include "plan/hardware.h"

#define QZ_MACHINE_HERE "this" /* as a name of --hardware: this machine as a CPU */

typedef struct { const char *hardware, *file, *memory, *cc; } qz_machine_asked; /* NULL: not given */
typedef struct {
    qz_hardware_set set;
    qz_hardware own;
    const qz_hardware *hardware; /* own, or NULL: no memory was asked for */
    unsigned cc;                 /* of --cc or the row, 0 = not known */
    bool here;                   /* this machine */
} qz_machine;
qz_status qz_machine_open(qz_run *run, const qz_machine_asked *asked, qz_machine *out, qz_error *err);
/* --tp: only cards share a model. NULL, one device: nothing to say. */
qz_status qz_machine_shares(const qz_hardware *h, uint64_t devices, qz_error *err);
void qz_machine_release(qz_machine *m);
/* "8.6" -> 86; QZ_EUSAGE otherwise. */
qz_status qz_capability_parse(const char *text, unsigned *cc, qz_error *err);
#endif
