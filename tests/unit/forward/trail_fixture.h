/* A ledger of unit/ledger/ledger_fixture.h, seen as the one of a volume. */
#pragma once

#include "unit/ledger/ledger_fixture.h"

#include "forward/trail.h"

struct trail_fixture {
	struct fixture ledger;
	char volume[64], link[80];
	struct trail *trail;
	struct place place; /* where a test begins; the beginning */
	struct error err;
};

static inline void trail_fixture_link(struct trail_fixture *f, const char *path)
{
	unlink(f->link);
	assert_int_equal(symlink(path, f->link), 0);
}

static inline int trail_setup(void **state)
{
	struct trail_fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	fixture_init(&f->ledger);
	snprintf(f->volume, sizeof(f->volume), "/tmp/trail-test-XXXXXX");
	assert_non_null(mkdtemp(f->volume));
	snprintf(f->link, sizeof(f->link), "%s/ledger", f->volume);
	trail_fixture_link(f, f->ledger.path);
	f->trail = trail_new(f->volume);
	*state = f;
	return 0;
}

static inline int trail_teardown(void **state)
{
	struct trail_fixture *f = *state;

	trail_free(f->trail);
	unlink(f->link);
	rmdir(f->volume);
	fixture_release(&f->ledger);
	free(f);
	return 0;
}

/* @count leaves, and a checkpoint over all. */
static inline void trail_append(struct trail_fixture *f, size_t count)
{
	if (!f->ledger.log)
		assert_ok(fixture_open(&f->ledger, &f->err), &f->err);
	for (size_t i = 0; i < count; i++)
		assert_ok(fixture_append(&f->ledger, 20, &f->err), &f->err);
	fixture_checkpoint(&f->ledger);
}
