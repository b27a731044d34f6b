#include "base/retry.h"

#include "base/checked.h"
#include "base/units.h"

#define FAILED_FIRST_USEC  (1 * USEC_PER_SEC)
#define REFUSED_FIRST_USEC (5 * USEC_PER_SEC)
#define LAST_USEC	   (60 * USEC_PER_SEC)
#define LEAST_USEC	   (100 * USEC_PER_MSEC)
#define REFUSED_PART	   10 /* the slow pace varies by a tenth */
#define CONFLICT_USEC	   (3600 * USEC_PER_SEC)

static uint64_t limit_usec(const struct retry *retry, uint64_t first_usec)
{
	uint64_t limit = first_usec;

	for (unsigned i = 0; i < retry->failed_count && limit < LAST_USEC; i++)
		limit *= 2;
	return MIN(limit, LAST_USEC);
}

uint64_t retry_after_failure(struct retry *retry, uint64_t random)
{
	uint64_t limit = limit_usec(retry, FAILED_FIRST_USEC);

	retry->failed_count++;
	return LEAST_USEC + random % (limit - LEAST_USEC + 1);
}

uint64_t retry_after_refusal(struct retry *retry, uint64_t random)
{
	uint64_t limit = limit_usec(retry, REFUSED_FIRST_USEC);

	retry->failed_count++;
	return limit - random % (limit / REFUSED_PART);
}

uint64_t retry_after_conflict(struct retry *retry, uint64_t random)
{
	retry->failed_count++;
	return CONFLICT_USEC + random % (CONFLICT_USEC / REFUSED_PART);
}

void retry_reset(struct retry *retry)
{
	retry->failed_count = 0;
}
