import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.UnaryOperator;

/** Calls the printed functions, a case a line; prints what each one answered. */
public final class Main {
    record Given(
            UnaryOperator<String> header, String method, byte[] body, byte[] query, byte[] payload,
            String id, List<String> secrets, Instant now) {}

    static boolean verify(String module, Given it) {
        return switch (module) {
            // CALLS
            default -> throw new IllegalArgumentException(module);
        };
    }

    static byte[] decode(String field) {
        return Base64.getDecoder().decode(field);
    }

    static String text(String field) {
        return new String(decode(field), ISO_8859_1);
    }

    /** The id as a JSON library would find it; the cases have no other member of this name. */
    static String id(byte[] body) {
        String text = new String(body, ISO_8859_1);
        int at = text.indexOf("\"id\":\"");
        int end = at < 0 ? -1 : text.indexOf('"', at + 6);
        return end < 0 ? "" : text.substring(at + 6, end);
    }

    public static void main(String[] arguments) throws Exception {
        StringBuilder answers = new StringBuilder();
        for (String line : Files.readAllLines(Path.of(arguments[0]))) {
            String[] fields = line.split("\t", -1);
            Map<String, String> headers = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
            for (String pair : fields[2].split(",")) {
                int at = pair.indexOf('=');
                if (at > 0) {
                    headers.put(pair.substring(0, at), text(pair.substring(at + 1)));
                }
            }
            List<String> secrets = new ArrayList<>();
            for (String secret : fields[7].split(",")) {
                if (!secret.isEmpty()) {
                    secrets.add(text(secret));
                }
            }
            Given it = new Given(
                    headers::get, fields[3], decode(fields[4]), decode(fields[5]), decode(fields[6]),
                    id(decode(fields[4])), secrets, Instant.ofEpochSecond(Long.parseLong(fields[8])));
            try {
                answers.append(verify(fields[0], it)).append('\n');
            } catch (RuntimeException error) {
                answers.append("threw ").append(error).append('\n');
            }
        }
        System.out.print(answers);
    }
}
