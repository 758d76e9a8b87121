/* usage: gen_iq > iq_tables.c
 * Writes the tables of codecs/iq_grid.h from the code books (iq_levels.h): run by the build. A combination of levels
 * that is no point gets the points in order of (squared distance of the coordinates 2·level+1, index), up to and with
 * the type's number of distinct distances, all ties kept (formats/ggml-quants.md section 8.1). A list is filled up with
 * its first point to a multiple of LIST; of the books of magnitudes there is a second copy, of levels. */
#include <stdio.h>
#include <stdlib.h>
#include "codecs/iq_grid.h"
#include "codecs/tables/iq_levels.h"

enum { LIST = 8, MAX_POINTS = 2048, MAX_DISTANCE = 4 * 4 * 49 + 1 };
typedef struct {
    const char *name;
    const uint16_t *words;
    int points, size, bits, base; /* base: levels the encoder uses */
    int distances;                /* distinct distances of a list */
    int8_t values[8];             /* of each level */
} book;

#define COUNT(a) (int)(sizeof(a) / sizeof *(a))
static const book books[] = {
    {"iq2xxs", iq2xxs_levels, COUNT(iq2xxs_levels), 8, 2, 3, 2, {8, 25, 43}},
    {"iq2xs", iq2xs_levels, COUNT(iq2xs_levels), 8, 2, 3, 2, {8, 25, 43}},
    {"iq2s", iq2s_levels, COUNT(iq2s_levels), 8, 2, 3, 1, {8, 25, 43}},
    {"iq1", iq1_levels, COUNT(iq1_levels), 8, 2, 3, 3, {-1, 0, 1}},
    {"iq3xxs", iq3xxs_levels, COUNT(iq3xxs_levels), 4, 3, 8, 2, {4, 12, 20, 28, 36, 44, 52, 62}},
    {"iq3s", iq3s_levels, COUNT(iq3s_levels), 4, 3, 8, 3, {1, 3, 5, 7, 9, 11, 13, 15}},
};

static int level(const book *b, int point, int i) { return b->words[point] >> (b->bits * i) & ((1 << b->bits) - 1); }

static void key_levels(const book *b, int key, int *l) {
    for (int i = 0; i < b->size; i++, key /= b->base) l[i] = key % b->base;
}

/* Points near the levels l, nearest first; returns how many. */
static int near_points(const book *b, const int *l, int *out) {
    static int distance[MAX_POINTS];
    int seen[MAX_DISTANCE] = {0}, n = 0, left = b->distances;
    for (int p = 0; p < b->points; p++) {
        distance[p] = 0;
        for (int i = 0; i < b->size; i++) {
            int d = level(b, p, i) - l[i];
            distance[p] += d * d;
        }
        seen[distance[p]] = 1;
    }
    for (int d = 0; d < MAX_DISTANCE && left > 0; d++) {
        if (!seen[d]) continue;
        for (int p = 0; p < b->points; p++)
            if (distance[p] == d) out[n++] = p;
        if (d == 0) return n; /* a point itself */
        left--;
    }
    return n;
}

static void number(int v, int *column) {
    *column += printf("%d,", v);
    if (*column > 110) *column = 0, (void)putchar('\n');
}

/* The lists of every combination; levels: what number() gets is the word of levels instead of the point. */
static void write_near(const book *b, const int *place, int keys, int levels) {
    int column = 0, l[8], list[MAX_POINTS];
    printf("static const uint16_t %s_near%s[] = {", b->name, levels ? "_levels" : "");
    for (int key = 0; key < keys; key++) {
        if (place[key] >= 0) continue;
        key_levels(b, key, l);
        const int n = near_points(b, l, list), room = (n + LIST - 1) / LIST * LIST;
        number(n, &column);
        for (int i = 0; i < room; i++) {
            const int point = list[i < n ? i : 0];
            number(levels ? b->words[point] : point, &column);
        }
    }
    printf("};\n");
}

static void write_book(const book *b) {
    const int magnitudes = b->values[0] > 0;
    int keys = 1, column = 0, used = 0, l[8], list[MAX_POINTS];
    for (int i = 0; i < b->size; i++) keys *= b->base;
    int *place = calloc((size_t)keys, sizeof *place);
    if (place == NULL) exit(1);
    for (int key = 0; key < keys; key++) {
        key_levels(b, key, l);
        int n = near_points(b, l, list), on = n == 1;
        for (int i = 0; i < b->size; i++) on = on && level(b, list[0], i) == l[i];
        if (magnitudes && n > QZ_IQ_NEAR) exit(1);
        place[key] = on ? list[0] : ~used;
        if (!on) used += (n + LIST - 1) / LIST * LIST + 1;
    }
    write_near(b, place, keys, 0);
    if (magnitudes) write_near(b, place, keys, 1);
    printf("static const int32_t %s_place[] = {", b->name);
    for (int key = 0; key < keys; key++) number(place[key], &column);
    printf("};\nstatic const int8_t %s_values[] = {", b->name);
    for (int i = 0; i < b->points * b->size; i++) number(b->values[level(b, i / b->size, i % b->size)], &column);
    printf("};\nstatic const uint8_t %s_levels[] = {", b->name);
    for (int i = 0; i < b->points * b->size; i++) number(level(b, i / b->size, i % b->size), &column);
    printf("};\nconst qz_iq_grid qz_%s_grid = {%s_values, %s_levels, %s_place, %s_near, %s%s, %d, %d, %d, %d};\n", b->name,
           b->name, b->name, b->name, b->name, magnitudes ? b->name : "NULL", magnitudes ? "_near_levels" : "", b->points,
           b->size, b->base, b->bits);
    free(place);
}

int main(void) {
    printf("/* Made by src/codecs/tables/gen_iq.c. */\n#include \"codecs/iq_grid.h\"\n");
    for (int i = 0; i < COUNT(books); i++) write_book(&books[i]);
    return fflush(stdout) != 0 || ferror(stdout);
}
