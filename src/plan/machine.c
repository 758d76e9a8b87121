#include "plan/machine.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

qz_status qz_capability_parse(const char *text, unsigned *cc, qz_error *err) {
    char *end;
    double v = strtod(text, &end);
    unsigned x = v > 0 && v < 30 ? (unsigned)(v * 10 + 0.5) : 0;
    if (end == text || *end || x < 30)
        return qz_fail(err, QZ_EUSAGE,
                       "bad compute capability '%s': expected a number such as 7.5, 8.0, 8.6, 8.9, 9.0, 10.0 or 12.0",
                       text);
    *cc = x;
    return QZ_OK;
}

/* What a CUDA card of this capability computes in (hardware.def has the same sets). */
static const char *native_of(unsigned cc) {
    static const struct { unsigned from; const char *types; } rows[] = {
        {100, "fp16,bf16,int8,fp8,fp4"}, {89, "fp16,bf16,int8,fp8"}, {80, "fp16,bf16,int8,int4"},
        {75, "fp16,int8,int4"}, {0, "fp16"}};
    size_t i = 0;
    while (cc < rows[i].from) i++;
    return rows[i].types;
}

static qz_hardware this_machine(void) {
    return (qz_hardware){.name = "this machine", .kind = "cpu", .vendor = "any",
                         .visible_mib = (double)qz_hardware_system_bytes() / 1048576.0, .native = "int8",
                         .date = "now", .source = "memory that this process may use"};
}
/* A plain size: a CUDA card if its capability is given too, else a machine. */
static qz_hardware of_size(unsigned cc) {
    return (qz_hardware){.name = cc ? "a CUDA card" : "a machine", .kind = cc ? "gpu" : "cpu",
                         .vendor = cc ? "nvidia" : "any", .native = cc ? native_of(cc) : "int8", .capability = (int)cc,
                         .date = "-", .source = "--memory"};
}

qz_status qz_machine_open(qz_run *run, const qz_machine_asked *asked, qz_machine *out, qz_error *err) {
    uint64_t bytes = 0;
    *out = (qz_machine){0};
    if (asked->cc) QZ_TRY(qz_capability_parse(asked->cc, &out->cc, err));
    if (asked->memory) QZ_TRY(qz_bytes_parse(asked->memory, "memory", &bytes, err));
    if (asked->memory && bytes == 0)
        return qz_fail(err, QZ_EUSAGE, "--memory is zero: expected for example 24GB or 24GiB");
    QZ_TRY(qz_hardware_open(&out->set, asked->file, err));
    if (asked->hardware && strcasecmp(asked->hardware, QZ_MACHINE_HERE) == 0) {
        out->own = this_machine();
        out->here = true;
    } else if (asked->hardware) {
        const qz_hardware *row;
        QZ_TRY(qz_hardware_choose(run, &out->set, asked->hardware, &row, err));
        out->own = *row;
    } else if (bytes) out->own = of_size(out->cc);
    else return QZ_OK;
    if (bytes) out->own.visible_mib = (double)bytes / 1048576.0;
    if (out->cc) out->own.capability = (int)out->cc;
    else if (out->own.capability > 0) out->cc = (unsigned)out->own.capability;
    out->hardware = &out->own;
    return QZ_OK;
}

qz_status qz_machine_shares(const qz_hardware *h, uint64_t devices, qz_error *err) {
    if (devices < 2 || h == NULL || (strcmp(h->kind, "cpu") != 0 && strcmp(h->kind, "mac") != 0)) return QZ_OK;
    return qz_fail(err, QZ_EUSAGE,
                   "--tp %llu shares a model between cards: '%s' has none; leave --tp out, or give --hardware with a "
                   "card (--memory SIZE with --cc X.Y)",
                   (unsigned long long)devices, h->name);
}

void qz_machine_release(qz_machine *m) {
    qz_hardware_release(&m->set);
    m->hardware = NULL;
}
