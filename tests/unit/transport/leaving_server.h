#ifndef HERALD_TESTS_UNIT_TRANSPORT_LEAVING_SERVER_H
#define HERALD_TESTS_UNIT_TRANSPORT_LEAVING_SERVER_H

#define LEAVING_SERVER_VISITS 200

/**
 * Calls, from several threads, a server that greets, answers what nobody has asked, and leaves. Uses libherald's public
 * functions alone.
 *
 * Returns: how many connections the server was given; fewer than LEAVING_SERVER_VISITS when 10 s went by without one
 */
unsigned call_leaving_server(void);

#endif
