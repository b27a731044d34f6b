/* Against a TPM of a few lines, which keeps what the real one keeps: a counter that is made anew
 * begins above the highest that there ever was. */
#include "unit/cmocka_prelude.h"

#include <stdbool.h>
#include <stdio.h>

#include "rollback/floor.h"
#include "rollback/tpm_command.h"

struct index {
	bool defined, written;
	uint64_t value;
};

struct fake_tpm {
	struct index counter, base;
	uint64_t highest;
	char event[65];	       /* what was measured last */
	uint32_t failing_code; /* of the command that fails, 0: none */
};

static uint32_t get32(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

static void put32(uint8_t *bytes, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(value >> (24 - 8 * i));
}

static int reply(uint8_t *answer, uint32_t code, size_t size)
{
	answer[0] = 0x80;
	answer[1] = code == 0 ? 0x02 : 0x01;
	put32(answer + 2, (uint32_t)size);
	put32(answer + 6, code);
	return (int)size;
}

static int reply_number(uint8_t *answer, uint64_t value)
{
	put32(answer + 10, 10);
	answer[14] = 0;
	answer[15] = 8;
	put32(answer + 16, (uint32_t)(value >> 32));
	put32(answer + 20, (uint32_t)value);
	memset(answer + 24, 0, 5);
	return reply(answer, 0, 29);
}

static uint32_t increment(struct fake_tpm *tpm)
{
	struct index *counter = &tpm->counter;

	if (!counter->written)
		counter->value = tpm->highest;
	counter->value++;
	counter->written = true;
	if (counter->value > tpm->highest)
		tpm->highest = counter->value;
	return 0;
}

static int transmit(void *context, const uint8_t *command, size_t size, uint8_t *answer,
		    size_t answer_size, struct error *err)
{
	struct fake_tpm *tpm = context;
	uint32_t code = get32(command + 6), first = get32(command + 14);
	struct index *index = first == FLOOR_COUNTER_INDEX ? &tpm->counter : &tpm->base;

	(void)err;
	assert_int_equal(get32(command + 2), size);
	assert_true(answer_size >= 64);
	if (code == tpm->failing_code)
		return reply(answer, 0x922, 10);
	switch (code) {
	case 0x12a: /* define: the index stands in the description */
		index = get32(command + size - 14) == FLOOR_COUNTER_INDEX ? &tpm->counter
									  : &tpm->base;
		assert_false(index->defined);
		*index = (struct index){.defined = true};
		return reply(answer, 0, 19);
	case 0x13c:
		assert_int_equal(get32(command + 10), 12);
		snprintf(tpm->event, sizeof(tpm->event), "%.*s", (int)(size - 29),
			 (const char *)command + 29);
		return reply(answer, 0, 19);
	default:
		break;
	}
	if (!index->defined)
		return reply(answer, 0x18b, 10);
	if (code == 0x134)
		return reply(answer, increment(tpm), 19);
	if (code == 0x137) {
		index->value =
			(uint64_t)get32(command + size - 10) << 32 | get32(command + size - 6);
		index->written = true;
		return reply(answer, 0, 19);
	}
	assert_int_equal(code, 0x14e);
	return index->written ? reply_number(answer, index->value) : reply(answer, 0x14a, 10);
}

static int enter(struct fake_tpm *fake, uint32_t version, uint32_t *ret_floor, struct error *err)
{
	const struct floor_tpm tpm = {.transmit = transmit, .context = fake};
	const struct release release = {.version = version, .floor = 1};

	return floor_enter(&tpm, &release, ret_floor, err);
}

static int raise_to(struct fake_tpm *fake, uint32_t floor, uint32_t *ret_floor, struct error *err)
{
	const struct floor_tpm tpm = {.transmit = transmit, .context = fake};
	const struct release release = {.version = floor, .floor = floor};

	return floor_raise(&tpm, &release, ret_floor, err);
}

static void a_new_tpm_lets_every_version_run(void **state)
{
	struct fake_tpm fake = {.highest = 41};
	struct error err = {0};
	uint32_t floor = 9;

	(void)state;
	assert_ok(enter(&fake, 1, &floor, &err), &err);
	assert_int_equal(floor, 0);
	assert_int_equal(fake.counter.value, 42);
	assert_string_equal(fake.event, "binvault rollback base 42");
}

static void below_the_floor_nothing_runs(void **state)
{
	struct fake_tpm fake = {0};
	struct error err = {0};
	uint32_t floor;

	(void)state;
	assert_ok(enter(&fake, 1, &floor, &err), &err);
	assert_ok(raise_to(&fake, 3, &floor, &err), &err);
	assert_int_equal(floor, 3);
	assert_fails(enter(&fake, 2, &floor, &err), &err, ERROR_REFUSED,
		     "this is version 2, and the TPM of this vault lets none below 3 run");
	assert_ok(enter(&fake, 3, &floor, &err), &err);
	assert_string_equal(fake.event, "binvault rollback base 1");
}

static void the_floor_is_never_lowered(void **state)
{
	struct fake_tpm fake = {0};
	struct error err = {0};
	uint32_t floor;

	(void)state;
	assert_ok(enter(&fake, 5, &floor, &err), &err);
	assert_ok(raise_to(&fake, 5, &floor, &err), &err);
	assert_ok(raise_to(&fake, 2, &floor, &err), &err);
	assert_int_equal(floor, 5);
}

static void whoever_deletes_an_index_gets_another_pcr_12(void **state)
{
	struct fake_tpm fake = {0};
	struct error err = {0};
	uint32_t floor;

	(void)state;
	assert_ok(enter(&fake, 5, &floor, &err), &err);
	assert_ok(raise_to(&fake, 5, &floor, &err), &err);
	assert_string_equal(fake.event, "binvault rollback base 1");
	/* the counter alone: the floor is higher than before */
	fake.counter = (struct index){0};
	assert_fails(enter(&fake, 5, &floor, &err), &err, ERROR_REFUSED, "none below 6");
	/* both: any version runs, with another register */
	fake.counter = fake.base = (struct index){0};
	assert_ok(enter(&fake, 1, &floor, &err), &err);
	assert_string_equal(fake.event, "binvault rollback base 8");
}

static void a_start_that_was_cut_is_taken_up_again(void **state)
{
	struct fake_tpm fake = {.counter = {.defined = true}};
	struct error err = {0};
	uint32_t floor = 9;

	(void)state;
	assert_ok(enter(&fake, 1, &floor, &err), &err);
	fake.base.written = false;
	assert_ok(enter(&fake, 1, &floor, &err), &err);
	assert_int_equal(floor, 0);
}

static void numbers_that_do_not_belong_together_are_refused(void **state)
{
	struct fake_tpm fake = {.counter = {true, true, 7}, .base = {true, true, 8}};
	struct error err = {0};
	uint32_t floor;

	(void)state;
	assert_fails(enter(&fake, 1, &floor, &err), &err, ERROR_DEFECT,
		     "counter 7 and base 8 in the TPM do not belong together");
	fake.base.value = 0;
	fake.counter.value = 1000000;
	assert_fails(enter(&fake, 1, &floor, &err), &err, ERROR_DEFECT, "do not belong together");
	fake.base.defined = false;
	assert_fails(raise_to(&fake, 1, &floor, &err), &err, ERROR_DEFECT,
		     "holds no floor of versions");
}

static void each_command_that_fails_ends_the_start(void **state)
{
	static const uint32_t codes[] = {0x12a, 0x134, 0x137, 0x13c, 0x14e};

	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		struct fake_tpm fake = {.failing_code = codes[i]};
		struct error err = {0};
		uint32_t floor;

		assert_fails(enter(&fake, 1, &floor, &err), &err, ERROR_FAILED,
			     "the floor of versions: the TPM answers with code 0x922");
	}
}

static void an_answer_that_is_not_whole_is_refused(void **state)
{
	uint8_t answer[32] = {0x80, 0x02, 0, 0, 0, 11};
	enum tpm_answer found;
	struct error err = {0};
	uint64_t number;

	(void)state;
	assert_fails(tpm_answer_decode(answer, 9, &found, &err), &err, ERROR_DEFECT,
		     "the TPM's answer of 9 bytes is not whole");
	assert_fails(tpm_answer_decode(answer, 10, &found, &err), &err, ERROR_DEFECT, "not whole");
	assert_fails(tpm_answer_number(answer, 23, &number, &err), &err, ERROR_DEFECT,
		     "holds no number");
	assert_fails(tpm_answer_number(answer, 24, &number, &err), &err, ERROR_DEFECT,
		     "holds no number");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_tpm_lets_every_version_run),
		cmocka_unit_test(below_the_floor_nothing_runs),
		cmocka_unit_test(the_floor_is_never_lowered),
		cmocka_unit_test(whoever_deletes_an_index_gets_another_pcr_12),
		cmocka_unit_test(a_start_that_was_cut_is_taken_up_again),
		cmocka_unit_test(numbers_that_do_not_belong_together_are_refused),
		cmocka_unit_test(each_command_that_fails_ends_the_start),
		cmocka_unit_test(an_answer_that_is_not_whole_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
