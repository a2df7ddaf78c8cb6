"""The SDN controller: routes as flow entries, telemetry, reroutes, and its northbound socket."""
