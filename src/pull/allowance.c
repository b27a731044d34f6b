#include "pull/allowance.h"

#include "base/checked.h"
#include "base/units.h"

void allowance_start(struct allowance *allowance, uint64_t limit, uint64_t now_usec)
{
	*allowance = (struct allowance){.limit = limit, .counted_usec = now_usec};
}

bool allowance_is_left(struct allowance *allowance, uint64_t now_usec)
{
	uint64_t limit = allowance->limit;
	uint64_t elapsed = MIN(now_usec - allowance->counted_usec, USEC_PER_SEC);
	int64_t more = (int64_t)((double)limit * (double)elapsed / (double)USEC_PER_SEC);

	if (limit == 0)
		return true;
	/* Less than a byte is not thrown away: the time goes on to count. */
	if (more > 0) {
		allowance->bytes = MIN(allowance->bytes + more, (int64_t)(limit / 10 + 1));
		allowance->counted_usec = now_usec;
	}
	return allowance->bytes > 0;
}

void allowance_take(struct allowance *allowance, uint64_t size)
{
	allowance->bytes -= (int64_t)size;
}

uint64_t allowance_deadline(const struct allowance *allowance)
{
	double debt = (double)-allowance->bytes + 1;

	return allowance->counted_usec +
	       (uint64_t)(debt * (double)USEC_PER_SEC / (double)allowance->limit) + USEC_PER_MSEC;
}
