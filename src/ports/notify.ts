/**
 * What the service manager is told: https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
 * @module
 */

export interface Notify {
  ready(): void;
  /** A turn of the loop was really finished. */
  alive(): void;
  /** One line for `systemctl status`. */
  status(text: string): void;
  stopping(): void;
}
