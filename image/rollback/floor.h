/*
 * The oldest version that may still run, kept in the TPM: below it an image refuses to start,
 * although its signature is as good as ever.
 *
 * Two indices of NV memory: a counter, which only rises, and its value when it was made, the base.
 * The floor is their difference. It is the initrd that makes both, at the first start, and that
 * measures the base into PCR 12 at each. So whoever can talk to the TPM cannot lower the floor:
 *
 *	the counter cannot be set, and deleted and made anew it starts above every value that any
 *	counter of that TPM ever had (TPM 2.0 Library, part 1, "NV counters");
 *	the base can be set anew, but then PCR 12 is another, to which the data volume is sealed.
 *
 * The check itself is done by the old image: it is honest, since it is signed; what it is refused
 * for is a hole in what it would start next.
 *
 * Owns: nothing afterwards. Threads: one; the TPM is asked by nobody else in between.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "rollback/release.h"

#define FLOOR_COUNTER_INDEX 0x01b1f100 /* in the owner's range */
#define FLOOR_BASE_INDEX    0x01b1f101
#define FLOOR_REGISTER	    12
#define FLOOR_TPM_INITRD    "/dev/tpm0"
#define FLOOR_TPM	    "/dev/tpmrm0"

/*
 * One command and its answer, whole: the kernel's TPM device, or a test's. Returns the answer's
 * size.
 */
struct floor_tpm {
	int (*transmit)(void *context, const uint8_t *command, size_t size, uint8_t *answer,
			size_t answer_size, struct error *err);
	void *context;
};

/* The device at @fd, which is borrowed and must stay open. */
struct floor_tpm floor_tpm_device(int *fd);

/*
 * In the initrd: make the indices if there are none, measure the base, and refuse (ERROR_REFUSED) a
 * version below the floor.
 */
int floor_enter(const struct floor_tpm *tpm, const struct release *release, uint32_t *ret_floor,
		struct error *err) MUST_CHECK;

/* The same without making or measuring anything. ERROR_DEFECT if the indices are not there. */
int floor_read(const struct floor_tpm *tpm, uint32_t *ret_floor, struct error *err) MUST_CHECK;

/* Raise it to what a release that was called good sets; never lowers. */
int floor_raise(const struct floor_tpm *tpm, const struct release *release, uint32_t *ret_floor,
		struct error *err) MUST_CHECK;
