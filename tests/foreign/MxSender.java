import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import javax.naming.directory.InitialDirContext;

/**
 * Sends one message as an application does: MX by the DNS provider of JNDI, the address by the JDK, then port 25.
 *
 * <pre>java MxSender.java RECIPIENT HELO</pre>
 *
 * Prints the last reply. The exit code is 0 if the message is accepted, otherwise 1.
 */
public class MxSender {
    public static void main(String[] arguments) throws Exception {
        String recipient = arguments[0];
        String domain = recipient.substring(recipient.lastIndexOf('@') + 1);
        var records = new InitialDirContext().getAttributes("dns:///" + domain, new String[] {"MX"}).get("MX");
        String exchange = records.get(0).toString().split(" ")[1];
        InetAddress address = InetAddress.getByName(exchange);
        if (!(address instanceof Inet4Address)) {
            throw new IllegalStateException(exchange + " has no IPv4 address");
        }
        try (Socket socket = new Socket(address, 25)) {
            var lines = new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8));
            String last = reply(lines);
            String[] commands = {
                "EHLO " + arguments[1],
                "MAIL FROM:<postmaster@example.test>",
                "RCPT TO:<" + recipient + ">",
                "DATA",
                "Subject: hello\r\n\r\nHello.\r\n.",
            };
            for (String command : commands) {
                if (last.charAt(0) > '3') {
                    break;
                }
                socket.getOutputStream().write((command + "\r\n").getBytes(StandardCharsets.UTF_8));
                last = reply(lines);
            }
            System.out.println(last);
            System.exit(last.charAt(0) == '2' ? 0 : 1);
        }
    }

    private static String reply(BufferedReader lines) throws Exception {
        String line = lines.readLine();
        while (line.charAt(3) == '-') {
            line = lines.readLine();
        }
        return line;
    }
}
