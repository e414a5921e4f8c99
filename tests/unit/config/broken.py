"""Broken configs: one edit of `valid.yaml` each (or a file of `broken/`), and every problem.

A problem is `line: path: message (hint)`, as an operator reads it after the file's name.
"""

from __future__ import annotations

from typing import NamedTuple


class Broken(NamedTuple):
    """`old` in the valid config becomes `new`; `problems` are all that must be reported."""

    name: str
    old: str
    new: str
    problems: tuple[str, ...]


BROKEN = (
    Broken(
        "unknown_section",
        "admin: {port: 9464}",
        ("admin: {port: 9464}\nroute: []"),
        ("60: route: is not known here (did you mean 'routes'?)",),
    ),
    Broken(
        "unknown_key_near",
        "limits: [1/1s]",
        "limit: [1/1s]",
        (
            "7: quotas.radar.limit: is not known here (did you mean 'limits'?)",
            (
                "7: quotas.radar.limits: is required (All hold together; an empty list means "
                "unlimited)"
            ),
        ),
    ),
    Broken(
        "unknown_key_far",
        "share: 0.9",
        "zzz: 0.9",
        (
            (
                "6: quotas.pisano-cloud.zzz: is not known here (known are: limits, share, skew, "
                "max_in_flight, linger, max_retry_after, first_start, max_buffered, "
                "max_buffered_bytes, keep, call_timeout)"
            ),
        ),
    ),
    Broken(
        "missing_version",
        "version: 1\n",
        "",
        ("1: version: is required (Version of this format)",),
    ),
    Broken(
        "wrong_version",
        "version: 1",
        "version: 2",
        ("1: version: expected 1, found 2",),
    ),
    Broken(
        "version_as_text",
        "version: 1",
        'version: "1"',
        ("1: version: expected 1, found '1' (write it without quotes)",),
    ),
    Broken(
        "application_id_upper",
        "application_id: surveys",
        "application_id: Surveys",
        (
            (
                "2: application_id: expected 1 to 64 of a-z 0-9 . _ - that begin with a letter "
                "or digit (it names topics)"
            ),
        ),
    ),
    Broken(
        "kafka_owned",
        "sasl.password:",
        "acks: 1, sasl.password:",
        (("3: kafka.acks: the program sets this itself: its promises rest on it (leave it out)"),),
    ),
    Broken(
        "kafka_owned_family",
        "sasl.password:",
        "group.instance.id: x, sasl.password:",
        (
            (
                "3: kafka.group.instance.id: the program sets this itself: its promises rest on "
                "it (leave it out)"
            ),
        ),
    ),
    Broken(
        "kafka_no_servers",
        'bootstrap.servers: "localhost:9092", ',
        "",
        ("3: kafka.bootstrap.servers: is required (host:port,host:port)",),
    ),
    Broken(
        "kafka_list",
        '"localhost:9092"',
        "[localhost:9092]",
        (
            (
                "3: kafka.bootstrap.servers: expected text, a whole number, true or false; a "
                "list is one text: a,b,c"
            ),
        ),
    ),
    Broken(
        "kafka_missing",
        ('kafka: {bootstrap.servers: "localhost:9092", sasl.password: "${env:BROKER_PASSWORD}"}\n'),
        "",
        (("1: kafka: is required (librdkafka's settings, but for those that the program owns)"),),
    ),
    Broken(
        "pseudonym_short",
        '"${env:PSEUDONYM_KEY}"',
        '"short"',
        ("4: pseudonym.key: expected a key of at least 16 bytes",),
    ),
    Broken(
        "pseudonym_number",
        '"${env:PSEUDONYM_KEY}"',
        "12345678901234567890",
        (
            (
                "4: pseudonym.key: expected text, but YAML reads this as a number (write it in "
                "quotes)"
            ),
        ),
    ),
    Broken(
        "key_id_colon",
        "key_id: k1",
        "key_id: 'k:1'",
        ("4: pseudonym.key_id: expected 1 to 32 of A-Z a-z 0-9 _ -",),
    ),
    Broken(
        "limit_form",
        "limits: [20/5s, 160/625s]",
        "limits: [20/5s, 160 per 625s]",
        ("6: quotas.pisano-cloud.limits[1]: expected calls/duration, as in 20/5s",),
    ),
    Broken(
        "limit_zero",
        "limits: [1/1s]",
        "limits: [0/1s]",
        (
            (
                "7: quotas.radar.limits[0]: expected at least 1 call, as in 20/5s; for an "
                "unlimited quota write []"
            ),
        ),
    ),
    Broken(
        "limit_no_period",
        "limits: [1/1s]",
        "limits: [1/0s]",
        ("7: quotas.radar.limits[0]: expected a duration longer than nothing, as in 10m",),
    ),
    Broken(
        "limits_not_list",
        "limits: [1/1s]",
        "limits: 1/1s",
        ("7: quotas.radar.limits: expected a list, found text",),
    ),
    Broken(
        "share_too_large",
        "share: 0.9",
        "share: 1.5",
        ("6: quotas.pisano-cloud.share: expected at most 1",),
    ),
    Broken(
        "share_zero",
        "share: 0.9",
        "share: 0",
        ("6: quotas.pisano-cloud.share: expected more than 0",),
    ),
    Broken(
        "share_text",
        "share: 0.9",
        "share: most",
        ("6: quotas.pisano-cloud.share: expected a number, found text",),
    ),
    Broken(
        "quota_name",
        "  radar: {limits: [1/1s]}",
        "  Radar_Cloud: {limits: [1/1s]}",
        (
            (
                "7: quotas.Radar_Cloud: this name cannot be used: expected 1 to 64 of a-z 0-9 . "
                "_ - that begin with a letter or digit (it names topics)"
            ),
            (
                "20: vendors.radar.quota: no 'radar' under `quotas` (there are: pisano-cloud, "
                "Radar_Cloud)"
            ),
        ),
    ),
    Broken(
        "quota_name_collision",
        "  radar: {limits: [1/1s]}",
        ("  radar: {limits: [1/1s]}\n  pisano.cloud: {limits: []}\n  pisano_cloud: {limits: []}"),
        (
            (
                "9: quotas.pisano_cloud: differs from 'pisano.cloud' in . and _ only: Kafka "
                "takes their topics for one"
            ),
        ),
    ),
    Broken(
        "quota_named_as_the_router",
        "  radar: {limits: [1/1s]}",
        "  radar: {limits: [1/1s]}\n  router: {limits: []}",
        (
            (
                "8: quotas.router: is the name of another part of the program in metrics and "
                "health (call the quota something else)"
            ),
        ),
    ),
    Broken(
        "duration_no_unit",
        "max_wait: 10m",
        "max_wait: 600",
        (
            (
                "26: campaigns.purchase-sms.window.max_wait: expected a duration: a whole number "
                "and ms, s, m, h or d, as in 10m"
            ),
        ),
    ),
    Broken(
        "duration_bad_unit",
        "max_wait: 10m",
        "max_wait: 10min",
        (
            (
                "26: campaigns.purchase-sms.window.max_wait: expected a duration: a whole number "
                "and ms, s, m, h or d, as in 10m"
            ),
        ),
    ),
    Broken(
        "duration_zero",
        "expire_after: 72h",
        "expire_after: 0s",
        (
            (
                "50: routes[0].policy.expire_after: expected a duration longer than nothing, as "
                "in 10m"
            ),
        ),
    ),
    Broken(
        "vendor_type",
        "type: pisano",
        "type: pisanno",
        (
            (
                "10: vendors.pisano-tr.type: expected 'pisano' or 'customer_radar' or "
                "'http_batch', found 'pisanno' (did you mean 'pisano'?)"
            ),
        ),
    ),
    Broken(
        "vendor_no_type",
        "    type: pisano\n",
        "",
        ("9: vendors.pisano-tr.type: is required",),
    ),
    Broken(
        "vendor_http",
        "https://tr.example.test",
        "http://tr.example.test",
        (
            (
                "11: vendors.pisano-tr.base_url: must start with https://; http needs a loopback "
                "host or `allow_http: true`"
            ),
        ),
    ),
    Broken(
        "vendor_key",
        "username: acme",
        "user: acme",
        (
            "14: vendors.radar.username: is required (the user that logs in)",
            "17: vendors.radar.user: is not known here (did you mean 'username'?)",
        ),
    ),
    Broken(
        "vendor_token_missing",
        '    token: "${env:PISANO_TOKEN}"\n',
        "",
        ("9: vendors.pisano-tr.token: is required (the API token)",),
    ),
    Broken(
        "vendor_quota",
        "quota: pisano-cloud",
        "quota: pisano-clout",
        (
            (
                "13: vendors.pisano-tr.quota: no 'pisano-clout' under `quotas` (did you mean "
                "'pisano-cloud'? there are: pisano-cloud, radar)"
            ),
        ),
    ),
    Broken(
        "literal_secret_number",
        '"${env:PISANO_TOKEN}"',
        "99887766",
        (
            (
                "12: vendors.pisano-tr.token: expected text, but YAML reads this as a number "
                "(write it in quotes)"
            ),
        ),
    ),
    Broken(
        "campaign_vendor",
        "    vendor: pisano-tr\n",
        "    vendor: pisano-rt\n",
        (
            (
                "23: campaigns.purchase-sms.vendor: no 'pisano-rt' under `vendors` (did you mean "
                "'pisano-tr'? there are: pisano-tr, radar)"
            ),
        ),
    ),
    Broken(
        "campaign_channel_vendor",
        "channel: invitation",
        "channel: sms",
        (
            (
                "29: campaigns.visit.channel: a vendor of type customer_radar has no channel "
                "'sms' (there are: invitation)"
            ),
        ),
    ),
    Broken(
        "campaign_channel_unknown",
        "    channel: sms",
        "    channel: smss",
        (
            (
                "24: campaigns.purchase-sms.channel: expected 'sms', 'email', 'push', "
                "'invitation' or 'link', found 'smss' (did you mean 'sms'?)"
            ),
        ),
    ),
    Broken(
        "campaign_required",
        "    in_doubt: report",
        "    required: [custom_attributes.externalid, custom_attributes.name]",
        (
            (
                "27: campaigns.purchase-sms.required[0]: route 'store-purchase' has no "
                "'custom_attributes.externalid' under `data` (did you mean "
                "'custom_attributes.external_id'? there are: custom_attributes.name, "
                "custom_attributes.external_id, built_in_responses.Segment, "
                "built_in_responses.TransactionDate)"
            ),
        ),
    ),
    Broken(
        "link_missing",
        "inputs:\n",
        "  by-link: {vendor: pisano-tr, channel: link, id: a}\ninputs:\n",
        (
            (
                "30: campaigns.by-link.link: is required with `channel: link` (as in "
                "https://survey.example/s?name={name}&ref={external_id})"
            ),
        ),
    ),
    Broken(
        "link_null",
        "inputs:\n",
        "  by-link: {vendor: pisano-tr, channel: link, id: a, link: null}\ninputs:\n",
        (
            (
                "30: campaigns.by-link.link: is required with `channel: link` (as in "
                "https://survey.example/s?name={name}&ref={external_id})"
            ),
        ),
    ),
    Broken(
        "link_empty",
        "inputs:\n",
        '  by-link: {vendor: pisano-tr, channel: link, id: a, link: ""}\ninputs:\n',
        ("30: campaigns.by-link.link: must not be empty",),
    ),
    Broken(
        "link_no_text",
        "inputs:\n",
        "  by-link: {vendor: pisano-tr, channel: link, id: a, link: 7}\ninputs:\n",
        (
            (
                "30: campaigns.by-link.link: expected text, but YAML reads 7 as a number "
                '(write it in quotes: "7")'
            ),
        ),
    ),
    Broken(
        "link_of_another_channel",
        "inputs:\n",
        '  by-link: {vendor: pisano-tr, channel: push, id: a, link: "https://a.example/"}\ninputs:\n',
        ("30: campaigns.by-link.link: belongs to a campaign with `channel: link` (leave it out)",),
    ),
    Broken(
        "link_http",
        "inputs:\n",
        '  by-link: {vendor: pisano-tr, channel: link, id: a, link: "http://a.example/"}\ninputs:\n',
        (
            (
                "30: campaigns.by-link.link: not a link: must begin with https:// and a host "
                "(as in https://survey.example/s?name={name}&ref={external_id})"
            ),
        ),
    ),
    Broken(
        "link_brace",
        "inputs:\n",
        '  by-link: {vendor: pisano-tr, channel: link, id: a, link: "https://a.example/?n={name"}\ninputs:\n',
        (
            (
                "30: campaigns.by-link.link: not a link: position 21: braces hold a name of "
                "letters, digits, _ . - (as in "
                "https://survey.example/s?name={name}&ref={external_id})"
            ),
        ),
    ),
    Broken(
        "link_of_another_vendor",
        "inputs:\n",
        '  by-link: {vendor: radar, channel: link, id: a, link: "https://a.example/"}\ninputs:\n',
        (
            (
                "30: campaigns.by-link.channel: a vendor of type customer_radar has no "
                "channel 'link' (there are: invitation)"
            ),
        ),
    ),
    Broken(
        "campaign_id_float",
        "id: a6aa1866-dcaa-462c-a52d-0c22b0ca1616",
        "id: 7547e12",
        (
            (
                "25: campaigns.purchase-sms.id: expected text, but YAML reads 7547e12 as a "
                'number (write it in quotes: "7547e12")'
            ),
        ),
    ),
    Broken(
        "campaign_id_int",
        "id: 735c19a7-ee54-4b03-a84a-93dfe2a94a56",
        "id: 12345",
        (
            (
                "28: campaigns.purchase-email.id: expected text, but YAML reads 12345 as a "
                'number (write it in quotes: "12345")'
            ),
        ),
    ),
    Broken(
        "campaign_id_null",
        "id: a6aa1866-dcaa-462c-a52d-0c22b0ca1616",
        "id:",
        ("25: campaigns.purchase-sms.id: expected text, found nothing",),
    ),
    Broken(
        "campaign_id_boolean",
        "id: a6aa1866-dcaa-462c-a52d-0c22b0ca1616",
        "id: true",
        (
            (
                "25: campaigns.purchase-sms.id: expected text, but YAML reads true as true or "
                'false (write it in quotes: "true")'
            ),
        ),
    ),
    Broken(
        "campaign_id_empty",
        "id: a6aa1866-dcaa-462c-a52d-0c22b0ca1616",
        "id: ''",
        ("25: campaigns.purchase-sms.id: must not be empty",),
    ),
    Broken(
        "max_batch_large",
        "max_batch: 5000",
        "max_batch: 100001",
        ("26: campaigns.purchase-sms.window.max_batch: expected at most 100000",),
    ),
    Broken(
        "max_batch_float",
        "max_batch: 5000",
        "max_batch: 0.5",
        ("26: campaigns.purchase-sms.window.max_batch: expected a whole number, found 0.5",),
    ),
    Broken(
        "in_doubt",
        "in_doubt: report",
        "in_doubt: reprot",
        (
            (
                "27: campaigns.purchase-sms.in_doubt: expected 'report' or 'resend', found "
                "'reprot' (did you mean 'report'?)"
            ),
        ),
    ),
    Broken(
        "max_attempts",
        "in_doubt: report",
        "max_attempts: 0",
        ("27: campaigns.purchase-sms.max_attempts: expected at least 1",),
    ),
    Broken(
        "responses_key_radar",
        "channel: invitation",
        "channel: invitation, responses_key: transactional_data",
        (("29: campaigns.visit.responses_key: a vendor of type customer_radar has no such key"),),
    ),
    Broken(
        "input_format_later",
        "    format: json\n",
        "    format: avro\n",
        ("33: inputs.pos.format: 'avro' is not supported yet (expected 'json')",),
    ),
    Broken(
        "input_format_unknown",
        "    format: json\n",
        "    format: jsn\n",
        ("33: inputs.pos.format: expected 'json', found 'jsn' (did you mean 'json'?)",),
    ),
    Broken(
        "input_topics_empty",
        "topics: [web.orders]",
        "topics: []",
        ("36: inputs.web.topics: must not be empty",),
    ),
    Broken(
        "input_topic_name",
        "topics: [web.orders]",
        "topics: [web orders]",
        (("36: inputs.web.topics[0]: expected a Kafka topic name: 1 to 249 of A-Z a-z 0-9 . _ -"),),
    ),
    Broken(
        "input_topics_text",
        "topics: [web.orders]",
        "topics: web.orders",
        ("36: inputs.web.topics: expected a list, found text",),
    ),
    Broken(
        "input_topic_own",
        "topics: [web.orders]",
        "topics: [surveys.results]",
        (("36: inputs.web.topics[0]: topics that begin with 'surveys.' are the program's own"),),
    ),
    Broken(
        "input_topic_twice",
        "topics: [web.orders]",
        "topics: [web.orders, web.orders]",
        (
            (
                "36: inputs.web.topics[1]: 'web.orders' is read already: a topic stands in one "
                "input, once (first in line 36)"
            ),
        ),
    ),
    Broken(
        "input_topic_in_two",
        "topics: [web.orders]",
        "topics: [pos.transaction-completed]",
        (
            (
                "36: inputs.web.topics[0]: 'pos.transaction-completed' is read already: a topic "
                "stands in one input, once (first in line 32)"
            ),
        ),
    ),
    Broken(
        "input_event_jmespath",
        "event: {id: id, time: time}",
        "event: {id: 'a[', time: time}",
        (("34: inputs.pos.event.id: not a JMESPath expression: ends too early, at position 2"),),
    ),
    Broken(
        "routes_mapping",
        "    routes: first",
        "    routes: firts",
        (
            (
                "35: inputs.pos.routes: expected 'first' or 'all', found 'firts' (did you mean "
                "'first'?)"
            ),
        ),
    ),
    Broken(
        "route_input",
        "    input: web",
        "    input: wep",
        (
            (
                "52: routes[1].input: no 'wep' under `inputs` (did you mean 'web'? there are: "
                "pos, web)"
            ),
        ),
    ),
    Broken(
        "route_name_twice",
        "name: web-visit",
        "name: store-purchase",
        (
            (
                "51: routes[1].name: 'store-purchase' is the name of a route already (first in "
                "line 38)"
            ),
        ),
    ),
    Broken(
        "route_send_unknown",
        "send: [purchase-sms, purchase-email]",
        "send: [purchase-sms, purchase-mail]",
        (
            (
                "46: routes[0].send[1]: no 'purchase-mail' under `campaigns` (did you mean "
                "'purchase-email'? there are: purchase-sms, purchase-email, visit)"
            ),
        ),
    ),
    Broken(
        "route_send_twice",
        "send: [purchase-sms, purchase-email]",
        "send: [purchase-sms, purchase-sms]",
        ("46: routes[0].send[1]: 'purchase-sms' is in this list already (first in line 46)",),
    ),
    Broken(
        "route_send_empty",
        "send: [visit]",
        "send: []",
        ("54: routes[1].send: must not be empty",),
    ),
    Broken(
        "route_send_missing",
        "    send: [visit]\n",
        "",
        (
            (
                "51: routes[1].send: is required (Names under `campaigns`: the first that can "
                "reach the recipient is used)"
            ),
        ),
    ),
    Broken(
        "route_send_split",
        "send: [visit]",
        "send: [{split: {visit: 50}, by: customer.id}]",
        (
            (
                "54: routes[1].send[0]: a mapping is not supported yet here (write the name of a "
                "campaign)"
            ),
        ),
    ),
    Broken(
        "route_for_each",
        "    send: [visit]",
        ("    send: [visit]\n    for_each: items"),
        ("55: routes[1].for_each: not supported yet (leave it out)",),
    ),
    Broken(
        "route_quiet_hours",
        "policy: {expire_after: 72h}",
        "policy: {expire_after: 72h, quiet_hours: x}",
        ("50: routes[0].policy.quiet_hours: not supported yet (leave it out)",),
    ),
    Broken(
        "route_recipient_empty",
        "recipient: {email: customer.email}",
        "recipient: {}",
        ("53: routes[1].recipient: expected phone, email or both",),
    ),
    Broken(
        "route_recipient_cannot",
        (
            "recipient: {phone: customer.phone, email: customer.email}\n"
            "    phone_region: TR\n"
            "    send: [purchase-sms, purchase-email]"
        ),
        ("recipient: {email: customer.email}\n    send: [purchase-sms]"),
        (
            (
                "44: routes[0].recipient: no campaign of `send` can reach this recipient (they "
                "need: phone)"
            ),
        ),
    ),
    Broken(
        "route_recipient_jmespath",
        "recipient: {email: customer.email}",
        "recipient: {email: customer..email}",
        (
            (
                "53: routes[1].recipient.email: not a JMESPath expression: "
                "unexpected '.' at position 9"
            ),
        ),
    ),
    Broken(
        "route_region_lower",
        "phone_region: TR",
        "phone_region: tr",
        ("45: routes[0].phone_region: 'tr' is not a region (did you mean 'TR'?)",),
    ),
    Broken(
        "route_region",
        "phone_region: TR",
        "phone_region: Turkey",
        (
            (
                "45: routes[0].phone_region: 'Turkey' is not a region (expected two capital "
                "letters, as in TR)"
            ),
        ),
    ),
    Broken(
        "route_data_unknown",
        "      firstName: customer.name",
        "      firstname: customer.name",
        (
            (
                "56: routes[1].data.firstname: no vendor of this route's campaigns takes this "
                "(did you mean 'firstName'? there are: firstName, lastName, locationDisplayId, "
                "metadata, pomDisplayId)"
            ),
        ),
    ),
    Broken(
        "route_data_required",
        "      locationDisplayId: \"'web'\"\n",
        "",
        (
            (
                "55: routes[1].data.locationDisplayId: is required: campaign 'visit' cannot be "
                "sent without it"
            ),
        ),
    ),
    Broken(
        "route_data_field_is_map",
        "firstName: customer.name",
        "firstName: {a: customer.name}",
        ("56: routes[1].data.firstName: expected one JMESPath expression, found a mapping",),
    ),
    Broken(
        "route_data_map_is_field",
        "metadata: {Basket: basket.id}",
        "metadata: basket.id",
        ("58: routes[1].data.metadata: expected a mapping of names to JMESPath, found text",),
    ),
    Broken(
        "route_data_jmespath",
        "metadata: {Basket: basket.id}",
        "metadata: {Basket: nosuch(basket)}",
        (
            (
                "58: routes[1].data.metadata.Basket: not a JMESPath expression: unknown function "
                "nosuch()"
            ),
        ),
    ),
    Broken(
        "route_data_number",
        "metadata: {Basket: basket.id}",
        "metadata: {Basket: 5}",
        (
            (
                "58: routes[1].data.metadata.Basket: expected text, but YAML reads 5 as a number "
                '(write it in quotes: "5")'
            ),
        ),
    ),
    Broken(
        "route_data_list",
        "firstName: customer.name",
        "firstName: [a]",
        ("56: routes[1].data.firstName: expected text, found a list",),
    ),
    Broken(
        "match_operator",
        'amount: [{numeric: [">=", 100]}]',
        'amount: [{numerc: [">=", 100]}]',
        ("42: routes[0].match.amount[0].numerc: unknown operator (did you mean `numeric`?)",),
    ),
    Broken(
        "match_nested",
        "customer: {consent: {sms: true}}",
        ("customer:\n        consent:\n          sms: [{exists: maybe}]"),
        ("45: routes[0].match.customer.consent.sms[0].exists: takes true or false",),
    ),
    Broken(
        "match_list",
        (
            "      channel: pos\n"
            '      amount: [{numeric: [">=", 100]}]\n'
            "      customer: {consent: {sms: true}}"
        ),
        "      - channel",
        ("40: routes[0].match: expected a mapping, found a list",),
    ),
    Broken(
        "port_range",
        "port: 9464",
        "port: 70000",
        ("59: admin.port: expected at most 65535",),
    ),
    Broken(
        "port_text",
        "port: 9464",
        "port: http",
        ("59: admin.port: expected a whole number, found text",),
    ),
    Broken(
        "port_env_bad",
        "port: 9464",
        "port: '${env:PISANO_TOKEN}'",
        ("59: admin.port: expected a whole number, found text",),
    ),
    Broken(
        "env_missing",
        "${env:PISANO_TOKEN}",
        "${env:PISANO_TOKN}",
        (
            (
                "12: vendors.pisano-tr.token: the environment variable PISANO_TOKN is not set, "
                "or empty"
            ),
        ),
    ),
    Broken(
        "file_missing",
        "radar-password}",
        "rader-password}",
        (
            (
                "18: vendors.radar.password: the file {folder}/rader-password cannot be read: No "
                "such file or directory"
            ),
        ),
    ),
    Broken(
        "reference_form",
        "${env:PISANO_TOKEN}",
        "${vault:pisano}",
        (
            (
                "12: vendors.pisano-tr.token: expected ${env:NAME}, ${env:NAME:-default} or "
                "${file:PATH}; a plain ${ is written $${"
            ),
        ),
    ),
    Broken(
        "reference_open",
        "${env:PISANO_TOKEN}",
        "${env:PISANO",
        (
            (
                "12: vendors.pisano-tr.token: expected ${env:NAME}, ${env:NAME:-default} or "
                "${file:PATH}; a plain ${ is written $${"
            ),
        ),
    ),
    Broken(
        "duplicate_key",
        "    in_doubt: report",
        ("    in_doubt: report\n    channel: email"),
        ("28: campaigns.purchase-sms.channel: duplicate key (first in line 24)",),
    ),
    Broken(
        "duplicate_top",
        "admin: {port: 9464}",
        ("admin: {port: 9464}\nversion: 1"),
        ("60: version: duplicate key (first in line 1)",),
    ),
    Broken(
        "tag",
        "in_doubt: report",
        "in_doubt: !custom report",
        (
            (
                "27: campaigns.purchase-sms.in_doubt: custom tags are not supported (quote a "
                "text that begins with !)"
            ),
        ),
    ),
    Broken(
        "tab",
        "    in_doubt: report",
        "\tin_doubt: report",
        (
            (
                "27: (top level): a tab stands where only spaces may (indent with spaces, two for "
                "each level)\n"
                "   27 |  in_doubt: report\n"
                "      | ^"
            ),
        ),
    ),
    Broken(
        "unclosed",
        "limits: [1/1s]",
        "limits: [1/1s",
        (
            (
                "7: (top level): the [ that opens here is not closed, or a comma is missing "
                "(close it with ]; quote a text that holds , : [ ] { or })\n"
                "    7 |   radar: {limits: [1/1s}\n"
                "      |                   ^"
            ),
        ),
    ),
    Broken(
        "unclosed_quote",
        '"${file:radar-password}"',
        '"${file:radar-password}',
        (
            (
                "18: (top level): a quote is left open in this line (noticed in line 42)\n"
                "   18 |     password: ***********************\n"
                "      |               ^"
            ),
        ),
    ),
    Broken(
        "colon",
        "username: acme",
        "username: acme: x",
        (
            (
                "17: (top level): a second colon in one line (quote a text that holds a colon "
                "and a blank, or begin a new line for the key)\n"
                "   17 |     username: acme: x\n"
                "      |                   ^"
            ),
        ),
    ),
    Broken(
        "alias",
        "username: acme",
        "username: *acme",
        (
            (
                "17: (top level): an alias without an anchor (quote a text that begins with *)\n"
                "   17 |     username: *acme\n"
                "      |               ^"
            ),
        ),
    ),
    Broken(
        "two_documents",
        "routes:\n",
        ("---\nroutes:\n"),
        (
            (
                "37: (top level): a second document begins here (one file holds one config)\n"
                "   37 | ---\n"
                "      | ^"
            ),
        ),
    ),
    Broken(
        "yaml11",
        "version: 1",
        ("%YAML 1.1\n---\nversion: 1"),
        ("1: (top level): configs are YAML 1.2 (leave the %YAML directive out)",),
    ),
    Broken(
        "key_number",
        "firstName: customer.name",
        "12: customer.name",
        (
            "56: routes[1].data.12: a key must be text (write it in quotes)",
            (
                "56: routes[1].data.12: no vendor of this route's campaigns takes this (there "
                "are: firstName, lastName, locationDisplayId, metadata, pomDisplayId)"
            ),
        ),
    ),
    Broken(
        "key_bool",
        "Segment: customer.segment",
        "true: customer.segment",
        (("49: routes[0].data.built_in_responses.true: a key must be text (write it in quotes)"),),
    ),
    Broken(
        "nan",
        "share: 0.9",
        "share: .nan",
        ("6: quotas.pisano-cloud.share: not a number (quote it if it is meant as text)",),
    ),
    Broken(
        "section_null",
        (
            "quotas:\n"
            "  pisano-cloud: {limits: [20/5s, 160/625s], share: 0.9}\n"
            "  radar: {limits: [1/1s]}\n"
        ),
        "quotas:\n",
        ("5: quotas: expected a mapping, found nothing",),
    ),
    Broken(
        "section_list",
        (
            "campaigns:\n"
            "  purchase-sms:\n"
            "    vendor: pisano-tr\n"
            "    channel: sms\n"
            "    id: a6aa1866-dcaa-462c-a52d-0c22b0ca1616\n"
            "    window: {max_batch: 5000, max_wait: 10m, weight: 1}\n"
            "    in_doubt: report\n"
            "  purchase-email: {vendor: pisano-tr, channel: email, id: "
            "735c19a7-ee54-4b03-a84a-93dfe2a94a56}\n"
            "  visit: {vendor: radar, channel: invitation, id: "
            "1cf118a0326d47aa851a90b9674e90aa}\n"
        ),
        "campaigns: [a]\n",
        ("21: campaigns: expected a mapping, found a list",),
    ),
    Broken(
        "self_alias",
        "username: acme",
        "username: &u [*u]",
        (
            "17: vendors.radar.username: expected text, found a list",
            "17: vendors.radar.username[0]: this alias stands inside what it names",
        ),
    ),
    Broken(
        "unicode",
        "username: acme",
        'username: "\\ud800"',
        ("17: vendors.radar.username: this text is not valid Unicode",),
    ),
)

EMPTY = "1: (top level): the config is empty (it begins with `version: 1`)"
NO_MAPPING = "1: (top level): expected a mapping of sections (it begins with `version: 1`)"

FILES: dict[str, tuple[str, ...]] = {
    "empty.yaml": (EMPTY,),
    "only_comments.yaml": (EMPTY,),
    "list.yaml": (NO_MAPPING,),
    "text.yaml": (NO_MAPPING,),
    "merged.yaml": (
        (
            "12: vendors.pisano-tr.quota: no 'clowd' under `quotas` "
            "(did you mean 'cloud'? there are: cloud)"
        ),
    ),
    "several.yaml": (
        (
            "3: application_id: expected 1 to 64 of a-z 0-9 . _ - that begin with a letter "
            "or digit (it names topics)"
        ),
        (
            "4: kafka.enable.auto.commit: the program sets this itself: its promises rest on it "
            "(leave it out)"
        ),
        "5: pseudonym.key: the environment variable NO_SUCH_KEY is not set, or empty",
        "7: quotas.cloud.limits[0]: expected calls/duration, as in 20/5s",
        (
            "9: vendors.pisano-tr.quota: no 'clouds' under `quotas` "
            "(did you mean 'cloud'? there are: cloud)"
        ),
        (
            "9: vendors.pisano-tr.token: the file {folder}/no-such-token cannot be read: "
            "No such file or directory"
        ),
        "11: campaigns.sms.channel: is required (One that the vendor offers)",
        "13: campaigns.sms.chanel: is not known here (did you mean 'channel'?)",
        (
            "14: campaigns.sms.id: expected text, but YAML reads 12345 as a number "
            '(write it in quotes: "12345")'
        ),
        (
            "20: routes[0].match.amount[0].numeric: takes one or two comparisons "
            '(as [">", 0, "<=", 5])'
        ),
        (
            "21: routes[0].recipient.phone: not a JMESPath expression: unexpected name at position "
            "9 (text that is meant as it stands has single quotes within double ones: \"'a b'\")"
        ),
        "22: routes[0].send[0]: no 'sns' under `campaigns` (did you mean 'sms'? there are: sms)",
    ),
}
"""Files of `broken/`; `{folder}` stands for where they lie."""
