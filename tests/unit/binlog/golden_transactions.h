/*
 * The transactions of the golden files: taken from the output of mariadb-binlog and mysqlbinlog,
 * the end of the last event before each next GTID, or before the ROTATE. The listings were read
 * through as well: each end is a commit, a rollback, XA, or the one statement of its group. What
 * the servers were given stands in the .sql beside each file: DDL, tables of all kinds, SAVEPOINT,
 * mixed ROLLBACK, statement and row format, LOAD DATA, XA, CREATE TABLE … SELECT, temporary tables,
 * two-phase ALTER, compressed and tagged transactions, empty ones, SET timestamp.
 */
#pragma once

#include "unit/binlog/golden.h"

struct golden_transaction {
	uint32_t end;
	const char *gtid; /* NULL: it has none */
};

struct golden_transactions {
	const char *path;
	size_t count;
	const struct golden_transaction *transactions;
};

#define U "98b21662-e9b3-11f1-8420-02fc00000001"

static const struct golden_transaction golden_mariadb_10[] = {
	{458, "0-11-1"},    {664, "0-11-2"},	{869, "0-11-3"},    {1063, "0-11-4"},
	{1622, "0-11-5"},   {1866, "0-11-6"},	{2142, "0-11-7"},   {2413, "0-11-8"},
	{2874, "0-11-9"},   {3148, "0-11-10"},	{3937, "0-11-11"},  {4351, "0-11-12"},
	{4666, "0-11-13"},  {5022, "0-11-14"},	{5290, "0-11-15"},  {5681, "0-11-16"},
	{6037, "0-11-17"},  {6380, "0-11-18"},	{6718, "0-11-19"},  {6861, "0-11-20"},
	{7199, "0-11-21"},  {7344, "0-11-22"},	{7572, "0-11-23"},  {8134, "7-11-1"},
	{8772, "7-11-2"},   {8943, "0-11-24"},	{9446, "0-11-25"},  {9612, "0-11-26"},
	{9777, "0-11-27"},  {9947, "0-11-28"},	{10068, "0-11-29"}, {10193, "0-11-30"},
	{10343, "0-11-31"}, {10513, "0-11-32"}, {10654, "0-11-33"}, {10963, "0-11-34"},
	{11228, "0-11-35"}, {11457, "0-11-36"}, {11725, "0-11-37"}, {11854, "0-11-38"},
	{11985, "0-11-39"}, {12259, "0-11-40"}, {12539, "0-11-41"}, {12712, "0-11-42"},
	{12992, "0-11-43"}, {13165, "0-11-44"},
};

static const struct golden_transaction golden_mariadb_11[] = {
	{458, "0-11-1"},    {664, "0-11-2"},	{869, "0-11-3"},    {1063, "0-11-4"},
	{1627, "0-11-5"},   {1872, "0-11-6"},	{2149, "0-11-7"},   {2421, "0-11-8"},
	{2884, "0-11-9"},   {3159, "0-11-10"},	{3948, "0-11-11"},  {4362, "0-11-12"},
	{4677, "0-11-13"},  {5033, "0-11-14"},	{5301, "0-11-15"},  {5692, "0-11-16"},
	{6048, "0-11-17"},  {6395, "0-11-18"},	{6738, "0-11-19"},  {6886, "0-11-20"},
	{7229, "0-11-21"},  {7379, "0-11-22"},	{7608, "0-11-23"},  {8181, "7-11-1"},
	{8830, "7-11-2"},   {9001, "0-11-24"},	{9504, "0-11-25"},  {9670, "0-11-26"},
	{9835, "0-11-27"},  {10005, "0-11-28"}, {10126, "0-11-29"}, {10251, "0-11-30"},
	{10401, "0-11-31"}, {10575, "0-11-32"}, {10716, "0-11-33"}, {11025, "0-11-34"},
	{11290, "0-11-35"}, {11520, "0-11-36"}, {11789, "0-11-37"}, {11918, "0-11-38"},
	{12049, "0-11-39"}, {12324, "0-11-40"}, {12604, "0-11-41"}, {12777, "0-11-42"},
	{13080, "0-11-43"}, {13344, "0-11-44"}, {13590, "0-11-45"}, {13991, "0-11-46"},
	{14272, "0-11-47"}, {14445, "0-11-48"},
};

static const struct golden_transaction golden_mysql[] = {
	{343, U ":1"},
	{598, U ":2"},
	{841, U ":3"},
	{1143, U ":4"},
	{1664, U ":5"},
	{1961, U ":6"},
	{2298, U ":7"},
	{2774, U ":8"},
	{3158, U ":9"},
	{3587, U ":10"},
	{4073, U ":11"},
	{4549, U ":12"},
	{4861, U ":13"},
	{5288, U ":14"},
	{5734, U ":15"},
	{6231, U ":16"},
	{6632, U ":17"},
	{7117, U ":18"},
	{7663, U ":19"},
	{8032, U ":20"},
	{8450, U ":21"},
	{8626, U ":22"},
	{9044, U ":23"},
	{9222, U ":24"},
	{9640, U ":25"},
	{9938, U ":payments:1"},
	{10374, U ":payments:2"},
	{10586, U ":payments:3"},
	{10865, U ":stock:1"},
	{11186, "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee:7"},
	{11429, "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee:nightly:3"},
	{11951, U ":26"},
	{12235, U ":payments:4"},
	{12776, U ":27"},
	{12980, U ":28"},
	{13298, U ":29"},
	{13619, U ":30"},
	{13909, U ":31"},
	{14242, U ":32"},
	{14409, U ":33"},
	{14576, U ":34"},
	{14735, U ":35"},
	{15031, U ":36"},
	{15216, U ":37"},
	{15433, U ":38"},
};

static const struct golden_transaction golden_mysql_anonymous[] = {
	{331, NULL},  {576, NULL},  {811, NULL},  {1123, NULL}, {1486, NULL},  {1798, NULL},
	{2110, NULL}, {2422, NULL}, {2769, NULL}, {3371, NULL}, {3743, NULL},  {4251, NULL},
	{4872, NULL}, {5571, NULL}, {5960, NULL}, {6297, NULL}, {6653, NULL},  {7025, NULL},
	{7217, NULL}, {7418, NULL}, {7605, NULL}, {7801, NULL}, {8267, NULL},  {8680, NULL},
	{8888, NULL}, {9186, NULL}, {9644, NULL}, {9831, NULL}, {10027, NULL}, {10229, NULL},
};

#undef U

static const struct golden_transactions golden_transactions[] = {
	{GOLDEN, sizeof(golden_mariadb_10) / sizeof(golden_mariadb_10[0]), golden_mariadb_10},
	{GOLDEN_MARIADB_11, sizeof(golden_mariadb_11) / sizeof(golden_mariadb_11[0]),
	 golden_mariadb_11},
	{GOLDEN_MYSQL, sizeof(golden_mysql) / sizeof(golden_mysql[0]), golden_mysql},
	{GOLDEN_MYSQL_ANONYMOUS, sizeof(golden_mysql_anonymous) / sizeof(golden_mysql_anonymous[0]),
	 golden_mysql_anonymous},
};
