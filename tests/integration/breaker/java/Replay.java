import io.github.resilience4j.circuitbreaker.CircuitBreaker;
import io.github.resilience4j.circuitbreaker.CircuitBreakerConfig;
import io.github.resilience4j.circuitbreaker.IllegalStateTransitionException;
import io.github.resilience4j.circuitbreaker.event.CircuitBreakerEvent;
import io.github.resilience4j.circuitbreaker.event.CircuitBreakerOnStateTransitionEvent;
import io.github.resilience4j.circuitbreaker.internal.CircuitBreakerStateMachine;
import io.github.resilience4j.circuitbreaker.internal.SchedulerFactory;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.lang.reflect.Field;
import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;

/** resilience4j behind the lines of docs/breaker.md. Each config line begins a new breaker at time 0. */
public final class Replay {
    private static final class Ignored extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }

    private static final MathContext NINE_DIGITS = new MathContext(9, RoundingMode.HALF_EVEN);

    private final SchedulerFactory time = SchedulerFactory.getInstance();
    private final List<String> events = new ArrayList<>();
    private CircuitBreaker breaker;

    public static void main(String[] args) throws IOException, ReflectiveOperationException {
        Replay replay = new Replay();
        try (BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
             BufferedWriter out = new BufferedWriter(new OutputStreamWriter(System.out, StandardCharsets.UTF_8))) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                String[] words = line.split(" ");
                if (words[0].equals("config")) {
                    replay.begin(words);
                } else {
                    out.write(replay.run(words));
                    out.write('\n');
                }
            }
        }
    }

    private void begin(String[] words) {
        time.restart();
        CircuitBreakerConfig.Builder config = CircuitBreakerConfig.custom()
            .slidingWindowType(CircuitBreakerConfig.SlidingWindowType.COUNT_BASED)
            .clock(time.getClock())
            .ignoreExceptions(Ignored.class);
        for (int i = 1; i < words.length; i++) {
            String[] pair = words[i].split("=");
            set(config, pair[0], pair[1]);
        }
        breaker = new CircuitBreakerStateMachine("replay", config.build());
        breaker.getEventPublisher().onEvent(event -> events.add(nameOf(event)));
    }

    private static void set(CircuitBreakerConfig.Builder config, String key, String value) {
        switch (key) {
            case "slidingWindowSize" -> config.slidingWindowSize(Integer.parseInt(value));
            case "minimumNumberOfCalls" -> config.minimumNumberOfCalls(Integer.parseInt(value));
            case "failureRateThreshold" -> config.failureRateThreshold(Float.parseFloat(value));
            case "slowCallRateThreshold" -> config.slowCallRateThreshold(Float.parseFloat(value));
            case "slowCallDurationThresholdMs" -> config.slowCallDurationThreshold(millis(value));
            case "waitDurationInOpenStateMs" -> config.waitDurationInOpenState(millis(value));
            case "permittedNumberOfCallsInHalfOpenState" ->
                config.permittedNumberOfCallsInHalfOpenState(Integer.parseInt(value));
            case "maxWaitDurationInHalfOpenStateMs" -> config.maxWaitDurationInHalfOpenState(millis(value));
            default -> throw new IllegalArgumentException(key);
        }
    }

    private static Duration millis(String value) {
        return Duration.ofMillis(Long.parseLong(value));
    }

    private static String nameOf(CircuitBreakerEvent event) {
        if (event instanceof CircuitBreakerOnStateTransitionEvent transition) {
            return event.getEventType() + "(" + transition.getStateTransition().getFromState() + ">"
                + transition.getStateTransition().getToState() + ")";
        }
        return event.getEventType().toString();
    }

    private String run(String[] words) throws ReflectiveOperationException {
        events.clear();
        time.advanceTo(Long.parseLong(words[0]));
        String permitted = "-";
        String error = "-";
        try {
            if (words[1].equals("acquire")) {
                permitted = Boolean.toString(breaker.tryAcquirePermission());
            } else {
                operate(words);
            }
        } catch (IllegalStateTransitionException e) {
            error = "ILLEGAL_TRANSITION";
        } catch (ArithmeticException e) {
            error = "NO_WINDOW";
        }
        CircuitBreaker.Metrics metrics = breaker.getMetrics();
        return words[0] + " " + words[1] + " state=" + breaker.getState() + " permitted=" + permitted
            + " permitsLeft=" + permitsLeft() + " failureRate=" + nineDigits(metrics.getFailureRate())
            + " slowCallRate=" + nineDigits(metrics.getSlowCallRate())
            + " bufferedCalls=" + metrics.getNumberOfBufferedCalls()
            + " failedCalls=" + metrics.getNumberOfFailedCalls() + " slowCalls=" + metrics.getNumberOfSlowCalls()
            + " notPermittedCalls=" + metrics.getNumberOfNotPermittedCalls() + " error=" + error
            + " events=" + (events.isEmpty() ? "-" : String.join(",", events));
    }

    private void operate(String[] words) {
        switch (words[1]) {
            case "success" -> breaker.onSuccess(Long.parseLong(words[2]), TimeUnit.MILLISECONDS);
            case "error" -> breaker.onError(Long.parseLong(words[2]), TimeUnit.MILLISECONDS, new RuntimeException());
            case "ignore" -> breaker.onError(0, TimeUnit.MILLISECONDS, new Ignored());
            case "transition" -> transition(CircuitBreaker.State.valueOf(words[2]));
            case "reset" -> breaker.reset();
            case "advance" -> { }
            default -> throw new IllegalArgumentException(words[1]);
        }
    }

    private void transition(CircuitBreaker.State state) {
        switch (state) {
            case CLOSED -> breaker.transitionToClosedState();
            case OPEN -> breaker.transitionToOpenState();
            case HALF_OPEN -> breaker.transitionToHalfOpenState();
            case DISABLED -> breaker.transitionToDisabledState();
            case FORCED_OPEN -> breaker.transitionToForcedOpenState();
            case METRICS_ONLY -> breaker.transitionToMetricsOnlyState();
        }
    }

    /** No method tells it. */
    private String permitsLeft() throws ReflectiveOperationException {
        if (breaker.getState() != CircuitBreaker.State.HALF_OPEN) {
            return "-";
        }
        Object state = ((AtomicReference<?>) fieldOf(breaker, "stateReference")).get();
        return Integer.toString(((AtomicInteger) fieldOf(state, "permittedNumberOfCalls")).get());
    }

    private static Object fieldOf(Object object, String name) throws ReflectiveOperationException {
        Field field = object.getClass().getDeclaredField(name);
        field.setAccessible(true);
        return field.get(object);
    }

    private static String nineDigits(float rate) {
        return new BigDecimal(rate).round(NINE_DIGITS).stripTrailingZeros().toPlainString();
    }
}
