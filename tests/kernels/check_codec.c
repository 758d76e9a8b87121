/* Decoders of the table against the codecs' own. */
#include "base/size.h"
#include "check.h"

void check_decode(check *c) {
    for (unsigned t = 0; t < QZ_TYPE_COUNT; ++t) {
        const qz_type_info *i = qz_type_get((qz_type)t);
        if (c->level != QZ_CPU_REF && c->ops->decode[t] == i->decode) continue;
        c->op = i->name;
        for (size_t blocks = 0; blocks <= (i->elems == 1 ? 300u : 5u); ++blocks) {
            guarded gi, gy, gw;
            uint8_t *in = guard_open(&gi, blocks, i->bytes, 1);
            float *y = guard_open(&gy, blocks * i->elems, 4, 4), *want = guard_open(&gw, blocks * i->elems, 4, 0);
            fill_bytes(c, in, blocks * i->bytes);
            i->decode(in, blocks * i->elems, want);
            c->ops->decode[t](in, blocks * i->elems, y);
            expect_floats(c, y, want, blocks * i->elems, "decode");
            guard_close(c, &gi), guard_close(c, &gy), guard_close(c, &gw);
        }
    }
}
