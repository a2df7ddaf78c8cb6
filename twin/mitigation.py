"""The answer to a flood: an alarm, and the flood dropped where it enters the network."""

from __future__ import annotations

from controller.messages import Drop, DropDone
from topologies.model import OdPair
from twin.detection import FloodDetector, Suspicion
from twin.forecaster import Forecaster
from twin.indexing import FloatArray, Indexing
from twin.output import Output, RequestIds
from twin.records import Alarm, DropDecision, DropOutcome

AFTERMATH_S = 60.0
"""For this long after an alarm its victim is watched more closely: floods come in waves."""


class Mitigation:
    """Alarms raised and drops asked for. A drop stays until the run ends."""

    def __init__(self, indexing: Indexing, ids: RequestIds, forecaster: Forecaster) -> None:
        self._detector = FloodDetector(indexing, lambda: forecaster.benign_share)
        self._ids = ids
        self._requests: dict[OdPair, str] = {}
        self._victims: dict[str, float] = {}
        self._answers: list[DropDone] = []
        self._repeat = False

    @property
    def dropped(self) -> frozenset[OdPair]:
        """Pairs that it has had dropped, or is about to."""
        return frozenset(self._requests)

    def answer(self, done: DropDone) -> None:
        """The controller answered a request."""
        self._answers.append(done)

    def controller_restarted(self) -> None:
        """A new controller knows nothing of the drops that its predecessor was asked for."""
        self._repeat = True

    def settle(self, out: Output) -> None:
        """Record what became of drops, and ask again for those that a controller forgot."""
        own = set(self._requests.values())
        answers, self._answers = self._answers, []
        for done in answers:
            if done.request_id in own:
                out.records.append(
                    DropOutcome(
                        t_s=done.t_s,
                        decision_id=done.request_id,
                        applied_s=done.applied_s,
                        refused=done.reason,
                    )
                )
            if not done.dropped:  # refused, or lifted by another client
                self._requests.pop((done.src, done.dst), None)
        if self._repeat:
            self._repeat = False
            out.requests += [Drop(request, *pair) for pair, request in self._requests.items()]

    def inspect(
        self,
        now_s: float,
        od_bps: FloatArray,
        expected_bps: FloatArray,
        intervals: int,
        link_bps: FloatArray,
        telemetry_age_s: float,
        out: Output,
    ) -> None:
        """Look for floods (arguments as in `FloodDetector.inspect`) and have them dropped."""
        self._victims = {v: t for v, t in self._victims.items() if now_s - t < AFTERMATH_S}
        for flood in self._detector.inspect(
            od_bps, expected_bps, intervals, link_bps, self._victims, self.dropped
        ):
            self._victims[flood.victim] = now_s
            out.records.append(_alarm(now_s, flood))
            for source in flood.sources:
                self._drop(now_s, (source, flood.victim), telemetry_age_s, out)

    def _drop(self, now_s: float, pair: OdPair, telemetry_age_s: float, out: Output) -> None:
        request = self._requests[pair] = self._ids.new(now_s)
        out.requests.append(Drop(request, *pair))
        out.records.append(
            DropDecision(
                t_s=now_s,
                decision_id=request,
                src=pair[0],
                dst=pair[1],
                telemetry_age_ms=telemetry_age_s * 1e3,
            )
        )


def _alarm(now_s: float, flood: Suspicion) -> Alarm:
    return Alarm(
        t_s=now_s,
        victim=flood.victim,
        sources=flood.sources,
        score=flood.score,
        explanation=(
            f"{', '.join(flood.sources)} send {flood.victim} {flood.excess_bps / 1e6:.1f} Mbit/s "
            "more than their recent rates and forecasts allow for"
        ),
    )
