package io.github.resilience4j.circuitbreaker.internal;

import java.lang.reflect.Proxy;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.Comparator;
import java.util.PriorityQueue;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;

/**
 * Stands in for resilience4j's own factory, which cannot be replaced otherwise: a clock that the driver moves, and
 * timers that go off on it. It comes before the jar in the class path.
 */
public class SchedulerFactory {
    private static final SchedulerFactory INSTANCE = new SchedulerFactory();

    /** Timers by time, and those of one time in the order in which they were set. */
    private final PriorityQueue<Timer> timers =
        new PriorityQueue<>(Comparator.<Timer>comparingLong(timer -> timer.dueMs).thenComparingLong(timer -> timer.number));
    private long nowMs;
    private long timersSet;

    private static final class Timer {
        long dueMs;
        long number;
        Runnable task;
    }

    public static SchedulerFactory getInstance() {
        return INSTANCE;
    }

    /** Forgets all timers, and begins at 0. */
    public void restart() {
        timers.clear();
        nowMs = 0;
    }

    /** Lets the time pass; each timer goes off at its own time. */
    public void advanceTo(long timeMs) {
        while (!timers.isEmpty() && timers.peek().dueMs <= timeMs) {
            Timer timer = timers.poll();
            nowMs = timer.dueMs;
            try {
                timer.task.run();
            } catch (RuntimeException e) {
                // An executor keeps it in the future that nobody asks: a transition that does not exist.
            }
        }
        nowMs = timeMs;
    }

    public Clock getClock() {
        return new Clock() {
            @Override
            public Instant instant() {
                return Instant.ofEpochMilli(nowMs);
            }

            @Override
            public ZoneId getZone() {
                return ZoneOffset.UTC;
            }

            @Override
            public Clock withZone(ZoneId zone) {
                return this;
            }
        };
    }

    private ScheduledFuture<?> schedule(Runnable task, long delay, TimeUnit unit) {
        Timer timer = new Timer();
        timer.dueMs = nowMs + unit.toMillis(delay);
        timer.number = timersSet++;
        timer.task = task;
        timers.add(timer);
        return (ScheduledFuture<?>) Proxy.newProxyInstance(
            SchedulerFactory.class.getClassLoader(), new Class<?>[] {ScheduledFuture.class},
            (proxy, method, args) -> switch (method.getName()) {
                case "isDone" -> !timers.contains(timer);
                case "cancel" -> timers.remove(timer);
                default -> throw new UnsupportedOperationException(method.getName());
            });
    }

    public ScheduledExecutorService getScheduler() {
        return (ScheduledExecutorService) Proxy.newProxyInstance(
            SchedulerFactory.class.getClassLoader(), new Class<?>[] {ScheduledExecutorService.class},
            (proxy, method, args) -> {
                if (!method.getName().equals("schedule")) {
                    throw new UnsupportedOperationException(method.getName());
                }
                return schedule((Runnable) args[0], (Long) args[1], (TimeUnit) args[2]);
            });
    }
}
