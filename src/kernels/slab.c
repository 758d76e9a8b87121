/* Memory of packed weights (mm_int.h). */
#include <sys/mman.h>
#include "kernels/mm_int.h"

enum { HUGE_PAGE = 2 << 20, SLAB = 32 << 20 };

void qz_slab_release(qz_slab *s) {
    if (!s || --s->users > 0) return;
    qz_free(s->memory);
    qz_free(s);
}

static qz_slab *slab_open(size_t bytes) {
    size_t size = 0;
    if (!qz_add_size(bytes, HUGE_PAGE - 1, &size)) return NULL;
    size = qz_max_size(size / HUGE_PAGE * HUGE_PAGE, SLAB);
    qz_slab *s = qz_calloc_array(1, sizeof *s);
    if (s) s->memory = qz_alloc_aligned(size + HUGE_PAGE, 1);
    if (!s || !s->memory) {
        qz_free(s);
        return NULL;
    }
    s->base = s->memory + (HUGE_PAGE - (uintptr_t)s->memory % HUGE_PAGE);
    s->size = size;
    s->users = 1;
    (void)madvise(s->base, size, MADV_HUGEPAGE); /* advice: without it only slower */
    return s;
}

uint8_t *qz_slab_alloc(qz_mm *mm, size_t bytes, qz_slab **slab) {
    if (!qz_add_size(bytes, 63, &bytes)) return NULL;
    bytes = bytes / 64 * 64;
    if (!mm->slab || mm->slab->size - mm->slab->used < bytes) {
        qz_slab *s = slab_open(bytes);
        if (!s) return NULL;
        qz_slab_release(mm->slab);
        mm->slab = s;
    }
    uint8_t *p = mm->slab->base + mm->slab->used;
    mm->slab->used += bytes;
    ++mm->slab->users;
    *slab = mm->slab;
    return p;
}
