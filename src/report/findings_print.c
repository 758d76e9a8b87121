#include "report/findings_print.h"
#include "deploy/check.h"
#include "report/fit.h"
#include <ctype.h>
#include <string.h>

void qz_print_wrapped(qz_str *s, const char *label, size_t indent, const char *text) {
    const size_t columns = qz_text_columns();
    size_t at = qz_width(label, strlen(label));
    qz_str_puts(s, label);
    for (; at < indent; at++) qz_str_putc(s, ' ');
    bool first = true;
    while (*text) {
        size_t n = strcspn(text, " "), w = qz_width(text, n);
        if (!first && at + 1 + w > columns) {
            qz_str_printf(s, "\n%*s", (int)indent, "");
            at = indent;
        } else if (!first) {
            qz_str_putc(s, ' ');
            at++;
        }
        qz_str_append(s, text, n);
        at += w;
        first = false;
        text += n;
        text += strspn(text, " ");
    }
    qz_str_putc(s, '\n');
}

void qz_source_kept(const char *source, qz_str *out) {
    for (const char *p = source ? source : ""; *p;) {
        p += strspn(p, ",; ");
        const size_t n = strcspn(p, ",;");
        const bool letter = n == 1 && *p >= 'A' && *p <= 'E',
                   item = n > 2 && (*p == 'C' || *p == 'U') && p[1] == '-' && isdigit((unsigned char)p[2]);
        if (n && !letter && !item) qz_str_printf(out, "%s%.*s", out->len ? ", " : "", (int)n, p);
        p += n;
    }
}

void qz_json_source(qz_json_writer *w, const char *source) {
    qz_str kept = {0};
    qz_source_kept(source, &kept);
    if (kept.len) qz_jw_text(w, "source", kept.ptr);
    else qz_jw_null(w, "source");
    w->out->failed |= kept.failed;
    qz_str_release(&kept);
}

void qz_print_findings(qz_str *s, const qz_findings *f) {
    for (int level = QZ_FINDING_ERROR; level >= QZ_FINDING_NOTE; level--)
        for (size_t i = 0; i < f->n; i++) {
            const qz_finding *x = &f->rows[i];
            const qz_pitfall *p = qz_pitfall_get(x->code);
            size_t same = 0, before = 0; /* notes of one code are told once */
            for (size_t k = 0; k < f->n && level == QZ_FINDING_NOTE; k++)
                if (f->rows[k].level == x->level && strcmp(f->rows[k].code, x->code) == 0) same++, before += k < i;
            if ((int)x->level != level || before) continue;
            qz_str_printf(s, "%-8s %s%s%s", qz_finding_level_name(x->level), x->code, *x->subject ? "  " : "",
                          x->subject);
            if (same > 1) qz_str_printf(s, " (and %zu more)", same - 1);
            qz_str_putc(s, '\n');
            qz_print_wrapped(s, "", 9, x->problem);
            if (p) qz_print_wrapped(s, "         cause:", 16, p->cause);
            if (p) qz_print_wrapped(s, "         seen:", 16, p->symptom);
            if (x->fix && *x->fix) qz_print_wrapped(s, "         fix:", 16, x->fix);
        }
}

void qz_json_findings(qz_json_writer *w, const char *key, const qz_findings *f) {
    qz_jw_open(w, key, '[');
    for (size_t i = 0; i < f->n; i++) {
        const qz_finding *x = &f->rows[i];
        const qz_pitfall *p = qz_pitfall_get(x->code);
        qz_jw_row(w);
        qz_jw_text(w, "code", x->code);
        qz_jw_text(w, "level", qz_finding_level_name(x->level));
        qz_jw_text(w, "subject", x->subject);
        qz_jw_text(w, "problem", x->problem);
        qz_jw_text(w, "symptom", p ? p->symptom : NULL);
        qz_jw_text(w, "cause", p ? p->cause : NULL);
        qz_jw_text(w, "fix", x->fix);
        qz_json_source(w, x->source);
        qz_jw_close(w, '}');
    }
    if (f->n) qz_str_putc(w->out, '\n');
    qz_jw_close(w, ']');
}
