"""Base of every node: life cycle, parameters, quality of service, diagnostics, clean end."""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from inspect import iscoroutinefunction

import rclpy
from builtin_interfaces.msg import Time
from rclpy.callback_groups import CallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future
from std_msgs.msg import Bool

from hrl_core import topics
from hrl_core.config import ConfigError, shorten
from hrl_core.fault import fault_sentence
from hrl_core.ros.diagnosis import Diagnosis
from hrl_core.ros.inputs import Inputs
from hrl_core.ros.parameters import NodeParameters, declare
from hrl_core.ros.qos import interface, publisher_qos, subscriber_qos
from hrl_core.topics import Topic

WRONG_INPUT = 2  # exit status: a parameter or a file is wrong
WAKE_PERIOD = 0.2  # s of wall time; Python sees a signal only when the executor's wait returns
FAREWELL = 1.0  # s of wall time for what runs to come to its end, where a node needs no more
LAST_WORDS = 0.1  # s of wall time for its result to leave


class HrlNode(LifecycleNode):
    """A lifecycle node. `load` (configure) reads and warms, `begin` (activate) starts the work,
    `halt` (deactivate, shutdown) brings what it drives to a safe state.

    Subclasses name their parameters and use `publish_on`, `subscribe` for topics of
    hrl_core.topics.
    """

    parameters_model: type[NodeParameters] = NodeParameters
    farewell = FAREWELL

    def __init__(self, name: str):
        try:
            super().__init__(name, automatically_declare_parameters_from_overrides=True)
        except ValueError as error:
            raise ConfigError(
                f"a parameter is an empty list, whose type is not known: leave it out ({error})"
            ) from error
        self.steady_clock = Clock(clock_type=ClockType.STEADY_TIME)
        self.loaded = self.active = False
        self.e_stop = False
        self.failure: Exception | None = None
        self._wakes = 0
        self.inputs = Inputs(self)
        self._diagnosis = Diagnosis(self, self.inputs)
        self.made: list[Callable[[], object]] = []  # what destroys publishers, subscriptions
        self.parameters = declare(self, self.parameters_model)
        self.create_timer(WAKE_PERIOD, self._on_wake, clock=self.steady_clock)
        self._diagnostics = self.publish_on(topics.DIAGNOSTICS)
        self.subscribe_state(topics.E_STOP, self._on_e_stop)
        self.made.clear()  # these stay

    # For subclasses

    def load(self) -> None:
        """Read files, make the core, warm it up. Raises ConfigError for wrong input."""

    def unload(self) -> None:
        """Give back what `load` made, except publishers and subscriptions."""

    def begin(self) -> None:
        """Start the work."""

    def halt(self) -> None:
        """Stop the work and leave everything safe; may be called at any time and twice."""

    def on_e_stop(self) -> None:
        """The emergency stop was pressed; `e_stop` is true until it is released."""

    def watch(self) -> None:
        """Called every WAKE_PERIOD of wall time, whatever ROS time does."""

    def status(self) -> tuple[str, dict[str, object]]:
        """What it does, and figures for the diagnostics."""
        return "active" if self.active else "inactive", {}

    def faults(self) -> dict[str, str]:
        """What is wrong now: a sentence by what it is about; the log tells of it once."""
        return {}

    def ros_time(self) -> Time:
        """What time it is for this node."""
        return self.get_clock().now().to_msg()

    def run(self, executor: SingleThreadedExecutor, stopping: Callable[[], bool]) -> None:
        """The main loop, until `stopping`."""
        while not stopping():
            executor.spin_once()

    @property
    def busy(self) -> bool:
        """Whether something is under way that should be answered before the node ends."""
        return False

    # Topics

    def publish_on(self, topic: Topic):
        made = self.create_publisher(interface(topic.type), topic.name, publisher_qos(topic))
        self.made.append(lambda: self.destroy_publisher(made))
        return made

    def subscribe(
        self,
        topic: Topic,
        callback: Callable,
        group: CallbackGroup | None = None,
        depth: int | None = None,
    ):
        reliable = self.parameters.reliable_sensors or self.parameters.lockstep
        qos = subscriber_qos(topic, reliable, depth)
        self.inputs.add(topic, qos)
        made = self.create_subscription(
            interface(topic.type),
            topic.name,
            self._guarded(topic.name, callback),
            qos,
            callback_group=group,
        )
        self.made.append(lambda: self.destroy_subscription(made))
        return made

    def subscribe_state(self, topic: Topic, callback: Callable) -> None:
        """Hear what late joiners get, but only the last of it, and all that comes from now on.

        Twice, since an ordinary publisher keeps nothing and is not matched by who asks for it.
        """
        for purpose in ("state", "event"):
            self.subscribe(replace(topic, purpose=purpose), callback)

    def create_service(self, srv_type, srv_name, callback, **options):
        """As rclpy's; a request that the callback cannot take gets an answer all the same."""

        def failed(error: Exception):
            self.refuse(srv_name, error)
            response = srv_type.Response()
            if hasattr(response, "detail"):
                response.detail = fault_sentence(srv_name, error)
            return response

        def answer(request, response):
            try:
                return callback(request, response)
            except Exception as error:
                return failed(error)

        async def answer_later(request, response):
            try:
                return await callback(request, response)
            except Exception as error:
                return failed(error)

        answer = answer_later if iscoroutinefunction(callback) else answer
        return super().create_service(srv_type, srv_name, answer, **options)

    def refuse(self, name: str, error: Exception) -> None:
        """Say that something of `name` cannot be used, and why: in the log when that begins, in
        diagnostics while it goes on.
        """
        sentence = str(error) if isinstance(error, ConfigError) else traceback.format_exc()
        self._diagnosis.refuse(name, sentence)

    def _guarded(self, name: str, callback: Callable) -> Callable:
        """The callback, but for messages that it cannot take: no message may end a node."""

        def take(message) -> None:
            self.inputs.came(name)
            try:
                callback(message)
            except Exception as error:
                self.refuse(name, error)

        return take

    # Life cycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        result = self._transition(self.load)
        self.loaded = result == TransitionCallbackReturn.SUCCESS
        return result

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        result = self._transition(self.begin)
        self.active = result == TransitionCallbackReturn.SUCCESS
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self.active = False
        return self._transition(self.halt)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._transition(self.clean_up)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        self.active = False
        return self._transition(self.halt)

    def start_up(self) -> None:
        """Configure and activate, where `autostart` says so; raises what went wrong."""
        if not self.parameters.autostart:
            return
        for transition in (self.trigger_configure, self.trigger_activate):
            if transition() != TransitionCallbackReturn.SUCCESS:
                raise self.failure or RuntimeError(f"{transition.__name__} failed")

    def clean_up(self) -> None:
        """Give back everything that `load` made."""
        if self.loaded:
            self.loaded = False
            self.unload()
        while self.made:
            self.made.pop()()

    def _transition(self, action: Callable[[], None]) -> TransitionCallbackReturn:
        try:
            action()
        except ConfigError as error:
            self.failure = error
            self.get_logger().error(str(error))
            return TransitionCallbackReturn.FAILURE
        except Exception as error:  # rclpy would swallow it without a word
            self.failure = error
            self.get_logger().error(traceback.format_exc())
            return TransitionCallbackReturn.ERROR
        return TransitionCallbackReturn.SUCCESS

    # Callbacks

    def _on_e_stop(self, message: Bool) -> None:
        pressed, self.e_stop = message.data and not self.e_stop, message.data
        if pressed:
            self.get_logger().warning("emergency stop")
            self.on_e_stop()

    def _on_wake(self) -> None:
        try:
            self.watch()
        except Exception as error:
            self.refuse("what was sensed", error)
        self._wakes += 1
        if self._wakes % round(1.0 / WAKE_PERIOD) == 0:
            try:
                self._publish_diagnosis()
            except Exception as error:
                self.refuse("diagnostics", error)

    def _publish_diagnosis(self) -> None:
        doing, figures = self.status()
        stops = self.get_publishers_info_by_topic(topics.E_STOP.name)
        figures = {**figures, "e_stop": self._by_whom(stops)}
        message = self._diagnosis.message(doing, figures, self.faults())
        message.header.stamp = self.ros_time()
        self._diagnostics.publish(message)

    def _by_whom(self, publishers) -> str:
        pressed = "pressed" if self.e_stop else "not pressed"
        names = sorted({f"{p.node_namespace.rstrip('/')}/{p.node_name}" for p in publishers})
        return f"{pressed}; published by {', '.join(names) or 'nobody'}"

    async def within(self, future: Future, seconds: float) -> bool:
        """Wait for a future, at most for some seconds of wall time; whether it is done."""
        if future.done():
            return True
        late = Future()
        timer = self.create_timer(
            seconds, lambda: late.done() or late.set_result(None), clock=self.steady_clock
        )
        try:
            await either(future, late)
        finally:
            self.destroy_timer(timer)
        return future.done()


async def either(first: Future, second: Future) -> None:
    """Wait until one of two futures is done."""
    done = Future()
    for future in (first, second):
        future.add_done_callback(lambda _: done.done() or done.set_result(None))
    await done


def run_node(make: Callable[[], HrlNode], args: list[str] | None = None) -> int:
    """Run a node until SIGINT or SIGTERM and return the exit status of the process.

    The context stays valid until the node has halted: rclpy's own signal handlers would end it
    first, and no stop command could be sent any more.
    """
    signals: list[int] = []

    def on_signal(number, frame):
        signals.append(number)
        signal.signal(number, signal.default_int_handler)  # a second one does not wait

    signal.signal(signal.SIGINT, on_signal)
    signal.signal(signal.SIGTERM, on_signal)
    executor = node = None
    try:
        start_ros(args)
        executor = SingleThreadedExecutor()
        node = make()
        executor.add_node(node)
        node.start_up()
        if not signals:
            node.run(executor, lambda: bool(signals))
        return 0
    except ConfigError as error:
        print(f"{os.path.basename(sys.argv[0])}: {error}", file=sys.stderr, flush=True)
        return WRONG_INPUT
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # the end takes a second or two at most
        if node is not None and executor is not None:
            _end(node, executor)
        if executor is not None:
            executor.shutdown()
        rclpy.try_shutdown()


def start_ros(args: list[str] | None) -> None:
    """As rclpy.init, without its signal handlers; raises ConfigError for arguments and files of
    parameters that cannot be read.
    """
    try:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:  # of a file of parameters, an argument, the middleware
        raise ConfigError(f"arguments of ROS: {shorten(ascii(str(error))[1:-1])}") from error


def _end(node: HrlNode, executor: SingleThreadedExecutor) -> None:
    """Stop what it drives, let its last answers leave, give back what it holds."""
    node.active = False
    was_busy = node.busy
    node.halt()
    _spin(executor, node.farewell, lambda: node.busy)
    if was_busy:
        _spin(executor, LAST_WORDS, lambda: True)  # rclpy sends results from tasks of their own
    node.clean_up()
    node.destroy_node()


def _spin(executor: SingleThreadedExecutor, seconds: float, condition: Callable[[], bool]) -> None:
    """Run callbacks for some seconds of wall time while a condition holds."""
    deadline = time.monotonic() + seconds
    while condition() and (left := deadline - time.monotonic()) > 0:
        executor.spin_once(timeout_sec=left)
