"""Reasons and ways in words."""

from bake.inputs import way


def test_a_way_names_a_link_and_what_it_leads_to_once() -> None:
    store = "node_modules/.pnpm/fastify@5.4.0/node_modules"
    via = ("services/api", "services/api/node_modules/fastify", f"{store}/fastify", f"{store}/pino")
    assert way(via) == "services/api > fastify > pino"
