#include "report/gguf_print.h"
#include "base/size.h"
#include "base/json_write.h"
#include "report/table_print.h"

void qz_gguf_done_text(const qz_gguf_done *d, qz_str *out) {
    char size[48];
    qz_str_printf(out, "%s\n", d->path);
    if (d->asked) qz_str_printf(out, "  keys of a split model stand in its first part: '%s' is as it was\n", d->asked);
    for (size_t i = 0; i < d->n_changes; i++)
        qz_str_printf(out, "  %s: %s -> %s\n", d->changes[i].key,
                      d->changes[i].before ? d->changes[i].before : "not there",
                      d->changes[i].after ? d->changes[i].after : "not there");
    if (d->repaired) qz_str_puts(out, "  an interrupted edit is taken back\n");
    qz_str_printf(out, "  %zu tensor%s, %s", d->tensors, qz_plural(d->tensors), qz_size_text(size, d->bytes));
    if (d->files != 1) qz_str_printf(out, " in %zu parts", d->files);
    qz_str_putc(out, '\n');
    if (d->edited && d->in_place) qz_str_puts(out, "  edited in place, no tensor moved");
    else if (d->edited) qz_str_printf(out, "  written anew, tensors' bytes as they were: %s", d->why_rewritten);
    if (d->edited) qz_str_printf(out, "; room for %llu bytes more\n", (unsigned long long)d->room);
    if (d->sha256) qz_str_printf(out, "  sha256 %s\n", d->sha256);
    if (d->manifest) qz_str_puts(out, "  manifest: that of the source, with hashes of what was written\n");
}

void qz_gguf_done_json(const qz_gguf_done *d, qz_str *out) {
    qz_json_writer w;
    qz_jw_begin(&w, out);
    qz_jw_text(&w, "path", d->path);
    if (d->asked) qz_jw_text(&w, "asked", d->asked);
    qz_jw_count(&w, "files", d->files);
    qz_jw_count(&w, "tensors", d->tensors);
    qz_jw_count(&w, "bytes", d->bytes);
    qz_jw_text(&w, "sha256", d->sha256);
    if (d->manifest) qz_jw_bool(&w, "manifest", true);
    if (d->repaired) qz_jw_bool(&w, "repaired", true);
    if (d->edited) {
        qz_jw_bool(&w, "in_place", d->in_place);
        if (d->why_rewritten) qz_jw_text(&w, "why_rewritten", d->why_rewritten);
        qz_jw_count(&w, "room", d->room);
        qz_jw_open(&w, "changes", '[');
        for (size_t i = 0; i < d->n_changes; i++) {
            qz_jw_open(&w, NULL, '{');
            qz_jw_text(&w, "key", d->changes[i].key);
            qz_jw_text(&w, "before", d->changes[i].before);
            qz_jw_text(&w, "after", d->changes[i].after);
            qz_jw_close(&w, '}');
        }
        qz_jw_close(&w, ']');
    }
    qz_jw_end(&w);
}
